/**
 * Ends what tests leave running. Each test worker connects, names itself and every process it starts; when the connection closes,
 * however the worker ended, the guard ends those processes and their descendants by their ids. The test run holds this program's
 * standard input: when that closes, the workers end too, and then the guard.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const [, , path] = process.argv;
/** Connections, with the processes that the worker behind each has started. */
const workers = new Map();

const server = createServer(connection => {
  const worker = { pid: undefined, started: new Set() };
  workers.set(connection, worker);
  connection.on('error', () => connection.destroy());
  createInterface(connection).on('line', line => {
    const [event, pid] = line.split(' ');
    if (event === 'worker') worker.pid = Number(pid);
    else if (event === 'started') worker.started.add(Number(pid));
    else if (event === 'ended') worker.started.delete(Number(pid));
    else throw new Error(`not an event of a worker: ${line}`);
  });
  connection.once('close', () => {
    for (const pid of [...worker.started].flatMap(withDescendants)) end(pid);
    workers.delete(connection);
    exitWhenDone();
  });
});

server.listen(path, () => process.stdout.write('listening\n'));

process.stdin.resume().once('close', () => {
  server.close();
  for (const { pid } of workers.values()) if (pid !== undefined) end(pid);
  exitWhenDone();
});

function exitWhenDone() {
  if (server.listening || workers.size > 0) return;
  rmSync(path, { force: true });
  process.exit();
}

/** @param {number} pid */
function end(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** The process and all below it; on systems without /proc, the process alone. */
function withDescendants(pid) {
  const children = threadsOf(pid).flatMap(thread => childrenOf(pid, thread));
  return [pid, ...children.flatMap(withDescendants)];
}

function threadsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    // It has ended, or there is no /proc.
    return [];
  }
}

function childrenOf(pid, thread) {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

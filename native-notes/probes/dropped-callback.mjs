/**
 * `dropped` is called while uWS walks its own lists. What JavaScript does there is tried one by one in a child process,
 * because most of it ends the process. Two paths lead there, and they forgive different mistakes:
 *   turn     the flush at the end of the turn: uWS walks the list of sockets with queued messages; no JavaScript frame is
 *            below the callback, so its microtasks run before it returns
 *   publish  the 33rd message of a turn flushes inside publish(): uWS walks the subscribers of the topic
 * These are uses of freed memory, so a child that survives by luck is tried again.
 */
import { openClients, probe, runChild, serve, turns } from './probe.mjs';

const SOCKETS = 4;
const TRIES = 5;
/** A surviving child needs a fraction of a second; one that is expected to spin in uWS's list is stopped after this. */
const HANG_MS = 1500;
const PATHS = { turn: { messages: 20, bytes: 4000 }, publish: { messages: 40, bytes: 8000 } };

/** Fills stalled sockets over their limit, then does `what` to them in `dropped`, `how` much later. */
async function provoke(what, how, path) {
  let acted = 0;
  const { messages, bytes } = PATHS[path];
  const payload = new Uint8Array(bytes);
  const actions = {
    flag: ws => {
      ws.getUserData().dirty = true;
    },
    close: ws => ws.close(),
    end: ws => ws.end(4008, 'slow'),
    publish: () => server.app.publish('busy', payload, true),
    subscribe: ws => ws.subscribe(`new/${acted}`),
    unsubscribe: ws => ws.unsubscribe('busy'),
  };
  const act = ws => {
    const data = ws.getUserData();
    data.pending = false;
    if (data.closed || (what === 'end' && data.ended) || acted >= 200) return;
    data.ended = true;
    acted++;
    actions[what](ws);
  };
  const server = serve({
    maxBackpressure: 64 * 1024,
    dropped(ws) {
      const data = ws.getUserData();
      if (data.pending) return;
      data.pending = true;
      if (how === 'inside') act(ws);
      if (how === 'microtask') queueMicrotask(() => act(ws));
      if (how === 'setImmediate') setImmediate(() => act(ws));
    },
    close(ws) {
      ws.getUserData().closed = true;
    },
  });
  const stalled = await openClients(server.port, SOCKETS);
  for (const client of stalled) client.pause();
  for (const ws of server.sockets) ws.subscribe('busy');
  for (let turn = 0, after = 0; turn < 5000 && after < 30; turn++) {
    if (acted > 0) after++;
    for (let message = 0; message < messages; message++) server.app.publish('busy', payload, true);
    await turns(1);
  }
  await turns(3);
  console.log(acted > 0 ? `survived ${acted} calls` : 'nothing was dropped');
  process.exit(acted > 0 ? 0 : 1);
}

async function main({ check, note }) {
  const outcome = async (what, how, path, limitMs = HANG_MS) => {
    const { died, signal, code, out } = await runChild(import.meta.url, [what, how, path], { limitMs });
    if (signal === 'timeout') return { survived: false, text: 'never returned' };
    if (died) return { survived: false, text: `${signal ?? code}` };
    return { survived: code === 0, text: out.trim().split('\n')[0] };
  };
  const dies = async (what, how, path) => {
    let result = await outcome(what, how, path);
    for (let attempt = 1; result.survived && attempt < TRIES; attempt++) result = await outcome(what, how, path);
    check(!result.survived, `${what}, ${how}, drop in the ${path} path: ${result.text}`);
  };
  const lives = async (what, how, path) => {
    const result = await outcome(what, how, path, 20_000);
    check(result.survived, `${what}, ${how}, drop in the ${path} path: ${result.text}`);
  };

  await lives('flag', 'inside', 'turn');
  await dies('close', 'inside', 'turn');
  await dies('close', 'inside', 'publish');
  await dies('close', 'microtask', 'turn');
  await dies('publish', 'inside', 'turn');
  await dies('unsubscribe', 'inside', 'publish');
  for (const what of ['close', 'end', 'publish', 'subscribe', 'unsubscribe']) {
    await lives(what, 'setImmediate', 'turn');
  }
  await lives('close', 'setImmediate', 'publish');
  if (process.argv[2] === 'all') {
    for (const path of Object.keys(PATHS)) {
      for (const how of ['inside', 'microtask']) {
        for (const what of ['close', 'end', 'publish', 'subscribe', 'unsubscribe']) {
          note(`${what}, ${how}, ${path} path: ${(await outcome(what, how, path)).text}`);
        }
      }
    }
  }
}

const [what, how, path] = process.argv.slice(2);
if (path) await provoke(what, how, path);
else await probe('inside `dropped`, and in a microtask of it, only a flag may be set; setImmediate is safe', main);

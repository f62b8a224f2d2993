/** The other way to share a port: one App accepts and hands the sockets round to child Apps on worker threads. */

import { connectMany, startWorker } from './listen-workers.mjs';
import { median, probe, runChild } from './probe.mjs';
import { App, us_socket_local_port } from './uws.mjs';

const CONNECTIONS = 2000;

async function stage() {
  const acceptor = App();
  const workers = [await startWorker(undefined), await startWorker(undefined)];
  let port = -1;
  acceptor.listen('127.0.0.1', 0, token => {
    port = us_socket_local_port(token);
  });
  for (const { descriptor } of workers) acceptor.addChildAppDescriptor(descriptor);
  return { acceptor, workers, port };
}

/** A child ends while the acceptor still hands sockets to it. */
async function forgotten() {
  const { port, workers } = await stage();
  await connectMany(port, 20);
  await workers[0].end();
  const { refused } = await connectMany(port, 40);
  console.log(`${refused} of 40 connections got no answer`);
  process.exit(0);
}

async function main({ check, note }) {
  const { acceptor, workers, port } = await stage();
  const { refused, times } = await connectMany(port, CONNECTIONS);
  const counts = workers.map(worker => worker.count());
  check(refused === 0, `${CONNECTIONS} connections, ${refused} refused`);
  check(counts[0] === counts[1], `handed round in turn: ${counts.join(' : ')}`);
  note(`connect to answer, median ${median(times).toFixed(2)} ms with 50 at a time`);

  acceptor.removeChildAppDescriptor(workers[0].descriptor);
  await workers[0].end();
  const after = await connectMany(port, 200);
  const took = workers[1].count() - counts[1];
  check(after.refused === 0 && took === 200, `descriptor removed, then the child ends: the other takes ${took} of 200`);

  const { code, died, signal, out } = await runChild(import.meta.url, ['forgotten']);
  const lost = Number(/^(\d+) of/.exec(out)?.[1] ?? 0);
  check(
    died || signal === 'timeout' || lost > 0,
    `the child ends without that: ${died ? `the process ended with ${signal ?? code}` : out.trim().split('\n')[0] || signal}`,
  );
  acceptor.close();
  await workers[1].end();
}

if (process.argv[2] === 'forgotten') await forgotten();
else await probe('an acceptor balances exactly, but must forget a child before its thread ends', main);

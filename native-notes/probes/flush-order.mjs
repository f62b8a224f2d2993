/**
 * Which socket is written first, when several were published to?
 * All clients read on the loop that also serves, and epoll reports sockets in the order in which data reached them; so
 * the order of the clients' `data` events is the order of the writes (the strace check below does not rely on it).
 */
import { isMainThread, MessageChannel, parentPort, Worker } from 'node:worker_threads';
import { openClients, probe, RawClient, serve, turns, until } from './probe.mjs';
import { phase, straceWorks, traceSends } from './strace.mjs';

const SOCKETS = 12;
const HALF = SOCKETS / 2;
const ROUNDS = 20;
const isFirstHalf = index => index < HALF;

/** A server whose sockets 0..5 are institutional and 6..11 are retail, and the order in which they are written. */
async function stage() {
  let onMessage = () => {};
  const server = serve({ message: () => onMessage() });
  const clients = await openClients(server.port, SOCKETS);
  /** @type {number[]} */
  const arrivals = [];
  clients.forEach((client, index) => {
    client.onFrame = () => arrivals.push(index);
  });
  for (const ws of server.sockets) {
    const index = Number(ws.getUserData().name);
    ws.subscribe(`own/${index}`);
    ws.subscribe('all');
    ws.subscribe(isFirstHalf(index) ? 'institutional' : 'retail');
  }
  const trigger = await RawClient.open(server.port, { path: '/trigger' });
  const channel = new MessageChannel();
  const cells = new Int32Array(new SharedArrayBuffer(4));
  return {
    app: server.app,
    async written(count) {
      await until(() => arrivals.length >= count, `${count} frames arrive`);
      await turns(2);
      return arrivals.splice(0);
    },
    /** The ways in which a callback of a gateway worker can start. */
    entrances: {
      'a uWS message': run => {
        onMessage = run;
        trigger.send('go');
      },
      'a MessagePort message': run => {
        channel.port2.once('message', run);
        channel.port1.postMessage(0);
      },
      'Atomics.waitAsync': run => {
        Atomics.waitAsync(cells, 0, 0).value.then(run);
        Atomics.notify(cells, 0);
      },
      'a timer': run => setTimeout(run, 1),
      setImmediate: run => setImmediate(run),
      'a microtask': run => queueMicrotask(run),
    },
    close() {
      channel.port1.close();
      for (const client of clients) client.end();
      trigger.end();
      server.app.close();
    },
  };
}

/** How often, of ROUNDS, all institutional sockets were written before the first retail one, per entrance. */
async function institutionalFirst({ app, entrances, written }, publishBoth) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const [name, enter] of Object.entries(entrances)) {
    counts[name] = 0;
    for (let round = 0; round < ROUNDS; round++) {
      enter(() => publishBoth(app));
      if ((await written(SOCKETS)).slice(0, HALF).every(isFirstHalf)) counts[name]++;
    }
  }
  return counts;
}

const sameTurn = app => {
  app.publish('institutional', 'tick');
  app.publish('retail', 'tick');
};
const reversed = app => {
  app.publish('retail', 'tick');
  app.publish('institutional', 'tick');
};
const nextTurn = app => {
  app.publish('institutional', 'tick');
  setImmediate(() => app.publish('retail', 'tick'));
};

async function traced() {
  const { app, close } = await stage();
  await turns(5);
  for (const [name, publishBoth] of Object.entries({ sameTurn, reversed, nextTurn })) {
    phase(name);
    publishBoth(app);
    await turns(5);
    phase('');
  }
  close();
  process.exit(0);
}

async function inWorker() {
  const staged = await stage();
  const counts = await institutionalFirst(staged, nextTurn);
  staged.close();
  parentPort?.postMessage(counts);
}

async function main({ check, note, skip }) {
  const staged = await stage();
  const { app, written } = staged;

  const ascending = Array.from({ length: SOCKETS }, (_, index) => index);
  let lifo = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const index of ascending) app.publish(`own/${index}`, 'tick');
    if ((await written(SOCKETS)).join() === ascending.toReversed().join()) lifo++;
  }
  check(lifo === ROUNDS, `published to sockets 0..11 in one turn: written 11..0 in ${lifo} of ${ROUNDS} rounds`);

  for (const index of [0, 1, 0, 0]) app.publish(`own/${index}`, 'tick');
  const order = (await written(4)).join(' ');
  check(order === '1 0 0 0', `published to 0 1 0 0: written ${order} (a socket's first publish of the turn places it)`);

  app.publish('all', 'tick');
  note(`one topic, subscribed to by 0..11 in this order: written ${(await written(SOCKETS)).join(' ')}`);

  const total = counts => Object.values(counts).reduce((sum, count) => sum + count, 0);
  const all = ROUNDS * Object.keys(staged.entrances).length;
  const same = total(await institutionalFirst(staged, sameTurn));
  check(same === 0, `institutional then retail in one turn: institutional written first in ${same} of ${all} rounds`);
  const back = total(await institutionalFirst(staged, reversed));
  check(back === all, `retail then institutional in one turn: institutional written first in ${back} of ${all} rounds`);
  for (let message = 0; message < 33; message++) app.publish('retail', 'tick');
  app.publish('institutional', 'tick');
  const crowded = await written(33 * HALF + HALF);
  check(
    !crowded.slice(0, HALF).some(isFirstHalf),
    '33 retail messages, then institutional, in one turn: retail is written first (the 33rd flushed it)',
  );
  for (const [name, count] of Object.entries(await institutionalFirst(staged, nextTurn))) {
    check(
      count === ROUNDS,
      `institutional, retail from setImmediate, entered from ${name}: first in ${count} of ${ROUNDS}`,
    );
  }
  setImmediate(() => app.publish('institutional', 'tick'));
  setImmediate(() => app.publish('retail', 'tick'));
  const shared = (await written(SOCKETS)).slice(0, HALF);
  check(
    !shared.some(isFirstHalf),
    'two immediates of one phase share a flush: the later one, retail, is written first',
  );
  staged.close();

  const worker = new Worker(new URL(import.meta.url));
  const counts = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  check(total(counts) === all, `the same on a worker thread: first in ${total(counts)} of ${all}`);

  if (!straceWorks()) {
    skip('the order of the system calls needs strace');
    return;
  }
  const phases = await traceSends(import.meta.url, ['traced']);
  const calls = name => phases.get(name)?.map(send => send.fd) ?? [];
  const early = name => new Set(calls(name).slice(0, HALF));
  const institutional = early('nextTurn');
  const overlap = name => [...early(name)].filter(fd => institutional.has(fd)).length;
  check(
    calls('nextTurn').length === SOCKETS && institutional.size === HALF,
    `strace: one send to each of ${SOCKETS} sockets`,
  );
  check(
    overlap('sameTurn') === 0,
    `strace: in one turn, ${overlap('sameTurn')} of the first ${HALF} sends are institutional`,
  );
  check(
    overlap('reversed') === HALF,
    `strace: reversed, ${overlap('reversed')} of the first ${HALF} sends are institutional`,
  );
}

if (process.argv[2] === 'traced') await traced();
else if (!isMainThread) await inWorker();
else
  await probe(
    'in one turn the socket published to last is written first; setImmediate puts one group after another',
    main,
  );

/** Fragments without content cost a receiver some nanoseconds each, and reach no handler. Linux. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { percentile, probe, RawClient, serve, until } from './probe.mjs';

const FLOOD_MS = 4_000;
const SETTLE_MS = 1_000;
const RECEIVE_BUFFER = 64 * 1024;
const ATTACKERS = [1, 10, 100];

/**
 * Sets the receive buffer of descriptor 3 as src/gateway/supervision/kernel-buffers.ts does, but without a package: libuv's
 * UDP handle takes any descriptor. It cannot release it, so a separate process does it.
 */
const BOUND = `
  const handle = new (process.binding('udp_wrap').UDP)();
  handle.open(3);
  handle.bufferSize(${RECEIVE_BUFFER}, true, {});
  process.exit(0);`;

if (!isMainThread) {
  const { port } = serve({ message: (ws, message, isBinary) => ws.send(message, isBinary), maxPayloadLength: 1 << 24 });
  parentPort.postMessage(port);
} else if (process.argv[2] === 'flood') {
  flood(Number(process.argv[3]), Number(process.argv[4]));
} else if (process.argv[2] === 'measure') {
  await measure(process.argv[3] === 'bounded', Number(process.argv[4]));
} else {
  await probe(
    'uWS reads on at a socket whose buffer is never empty; a receive buffer below its 512 KiB bounds that',
    report,
  );
}

async function report({ check, note, skip }) {
  if (process.platform !== 'linux') {
    skip('the listening socket is found by /proc');
    return;
  }
  const worst = { free: 0, bounded: 0 };
  for (const attackers of ATTACKERS) {
    for (const kind of ['free', 'bounded']) {
      const { p50, p99, mbPerSecond } = JSON.parse(await output(['measure', kind, String(attackers)]));
      worst[kind] = Math.max(worst[kind], p99);
      note(`${attackers} connections, ${kind}: p50 ${p50} ms, p99 ${p99} ms, ${mbPerSecond} MB/s`);
    }
  }
  check(worst.bounded < worst.free, `the worst p99 is ${worst.bounded} ms instead of ${worst.free}`);
}

async function measure(isBounded, attackers) {
  const worker = new Worker(new URL(import.meta.url));
  const port = await new Promise(resolve => worker.once('message', resolve));
  if (isBounded) {
    const stdio = ['ignore', 'ignore', 'inherit', listenerOf(port)];
    await new Promise(resolve => spawn(process.execPath, ['--eval', BOUND], { stdio }).once('exit', resolve));
  }
  const victim = await RawClient.open(port);
  const flooder = spawn(process.execPath, [
    new URL(import.meta.url).pathname,
    'flood',
    String(port),
    String(attackers),
  ]);
  let sentBytes = 0;
  flooder.stdout.on('data', text => {
    sentBytes = Number(String(text).trim().split('\n').at(-1));
  });
  await new Promise(resolve => setTimeout(resolve, SETTLE_MS));
  const before = sentBytes;
  const startMs = performance.now();
  const waits = [];
  while (performance.now() - startMs < FLOOD_MS) {
    const sentMs = performance.now();
    const count = victim.frames.length;
    victim.send('x');
    const left = FLOOD_MS + SETTLE_MS - (sentMs - startMs);
    await until(() => victim.frames.length > count, 'the echo', left).catch(() => undefined);
    waits.push(performance.now() - sentMs);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  const seconds = (performance.now() - startMs) / 1000;
  const [p50, p99] = [0.5, 0.99].map(fraction => Math.round(percentile(waits, fraction) * 10) / 10);
  console.log(JSON.stringify({ p50, p99, mbPerSecond: Math.round((sentBytes - before) / 1e6 / seconds) }));
  flooder.kill('SIGKILL');
  // uWS is open in a thread that may never end its turn.
  process.kill(process.pid, 'SIGKILL');
}

function flood(port, attackers) {
  const unit = Buffer.from([0x00, 0x80, 0, 0, 0, 0]);
  const block = Buffer.concat(Array(170_000).fill(unit));
  let sentBytes = 0;
  for (let i = 0; i < attackers; i++) {
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    socket.once('data', () => {
      socket.write(Buffer.from([0x01, 0x80, 0, 0, 0, 0]));
      const more = failure => {
        sentBytes += block.length;
        if (!failure) socket.write(block, more);
      };
      more();
    });
  }
  setInterval(() => console.log(sentBytes), 200);
}

/** The descriptor of the socket that listens on the port. */
function listenerOf(port) {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/self/net/tcp', 'latin1')
    .split('\n')
    .map(line => line.trim().split(/\s+/));
  const inode = rows.find(row => row[3] === '0A' && row[1].endsWith(hex))[9];
  return descriptors().find(([, link]) => link === `socket:[${inode}]`)[0];
}

function descriptors() {
  return readdirSync('/proc/self/fd').flatMap(name => {
    try {
      return [[Number(name), readlinkSync(`/proc/self/fd/${name}`)]];
    } catch {
      // The folder's own descriptor.
      return [];
    }
  });
}

function output(args) {
  return new Promise(resolve => {
    const child = spawn(process.execPath, [new URL(import.meta.url).pathname, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', chunk => {
      text += chunk;
    });
    child.once('close', () => resolve(text));
  });
}

/**
 * What every probe shares: a server, clients, a child process that may die, and the `ok` / `NOT OK` lines.
 *
 * Servers and clients of a probe mostly live on one event loop. That is on purpose: on Linux, epoll reports sockets in
 * the order in which they became readable, so the order of the clients' `data` events is the order of the server's writes.
 */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect as tcpConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { App, us_socket_local_port } from './uws.mjs';

const PROBE_DEADLINE_MS = 60_000;

/**
 * @typedef {object} Report
 * @property {(holds: boolean, text: string) => void} check prints the line; a false one makes the probe exit with 1
 * @property {(text: string) => void} note prints a number that is worth seeing but is not asserted
 * @property {(text: string) => void} skip says what could not be tried on this machine
 */

/**
 * Runs a probe and ends the process: 0 when every check held, 1 otherwise (or after a minute).
 * @param {string} fact one sentence
 * @param {(report: Report) => Promise<void>} body
 */
export async function probe(fact, body) {
  let failed = 0;
  console.log(`# ${fact}`);
  const deadline = setTimeout(() => {
    console.log(`NOT OK the probe did not finish within ${PROBE_DEADLINE_MS} ms`);
    process.exit(1);
  }, PROBE_DEADLINE_MS);
  try {
    await body({
      check(holds, text) {
        if (!holds) failed++;
        console.log(`${holds ? 'ok' : 'NOT OK'} ${text}`);
      },
      note: text => console.log(`   ${text}`),
      skip: text => console.log(`skip ${text}`),
    });
  } catch (error) {
    failed++;
    console.log(`NOT OK ${error instanceof Error ? error.stack : error}`);
  }
  clearTimeout(deadline);
  process.exit(failed === 0 ? 0 : 1);
}

/**
 * An App with one WebSocket route on a free port of the loopback interface.
 * @param {object} [behavior] WebSocketBehavior; `open` is called after the socket was added to `sockets`
 * @param {number} [port] 0 takes a free one
 */
export function serve(behavior = {}, port = 0) {
  /** @type {any[]} sockets in the order in which they were opened */
  const sockets = [];
  const app = App().ws('/*', {
    idleTimeout: 120,
    maxBackpressure: 1024 * 1024,
    ...behavior,
    upgrade(res, req, context) {
      res.upgrade(
        { url: req.getUrl(), name: req.getUrl().slice(1) },
        req.getHeader('sec-websocket-key'),
        req.getHeader('sec-websocket-protocol'),
        req.getHeader('sec-websocket-extensions'),
        context,
      );
    },
    open(ws) {
      sockets.push(ws);
      behavior.open?.(ws);
    },
    close(ws, code, message) {
      sockets.splice(sockets.indexOf(ws), 1);
      behavior.close?.(ws, code, message);
    },
  });
  let listening = -1;
  app.listen('127.0.0.1', port, token => {
    if (token) listening = us_socket_local_port(token);
  });
  if (listening < 0) throw new Error('cannot listen on a free port');
  return { app, port: listening, sockets, named: name => sockets.find(ws => ws.getUserData().name === name) };
}

/**
 * A WebSocket client on a bare TCP socket, which can stall (`pause`) and sees each arrival as it comes.
 * It counts and keeps the unmasked frames that the server sends; it answers no ping.
 */
export class RawClient {
  /** @type {import('node:net').Socket} */ tcp;
  /** @type {{ opcode: number, rsv1: boolean, length: number, payload: Buffer, at: number }[]} */ frames = [];
  /** @type {number[]} sizes of the chunks in which the bytes arrived */ chunks = [];
  bytes = 0;
  closed = false;
  keepPayloads = true;
  keepFrames = true;
  /** @type {(frame: RawClient['frames'][number]) => void} */ onFrame = () => {};
  #rest = Buffer.alloc(0);
  #open = false;

  /**
   * @param {number} port
   * @param {{ path?: string, extensions?: string }} [options]
   * @returns {Promise<RawClient>}
   */
  static open(port, { path = '/', extensions } = {}) {
    return new Promise((resolve, reject) => {
      const client = new RawClient();
      client.tcp = tcpConnect({ port, host: '127.0.0.1', noDelay: true });
      client.tcp.once('connect', () => {
        const extension = extensions ? `Sec-WebSocket-Extensions: ${extensions}\r\n` : '';
        client.tcp.write(
          `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
            `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${extension}\r\n`,
        );
      });
      client.tcp.on('error', error => (client.#open ? undefined : reject(error)));
      client.tcp.on('close', () => {
        client.closed = true;
        if (!client.#open) reject(new Error('the server closed the connection before the upgrade'));
      });
      client.tcp.on('data', chunk => client.#receive(chunk, resolve));
    });
  }

  /** Sends one masked frame. */
  send(payload, opcode = 2) {
    const data = Buffer.from(payload);
    const header =
      data.length < 126
        ? Buffer.from([0x80 | opcode, 0x80 | data.length, 0, 0, 0, 0])
        : data.length < 65_536
          ? Buffer.from([0x80 | opcode, 0x80 | 126, data.length >> 8, data.length & 255, 0, 0, 0, 0])
          : Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | 127, 0, 0, 0, 0]), uint32(data.length), Buffer.alloc(4)]);
    this.tcp.write(Buffer.concat([header, data]));
  }

  texts() {
    return this.frames.map(frame => frame.payload.toString());
  }

  pause() {
    this.tcp.pause();
  }

  resume() {
    this.tcp.resume();
  }

  end() {
    this.tcp.destroy();
  }

  #receive(chunk, opened) {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    if (!this.#open) {
      const end = data.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = data;
        return;
      }
      this.#open = true;
      this.accepted = data.subarray(0, end).toString();
      data = data.subarray(end + 4);
      opened(this);
      if (data.length === 0) {
        this.#rest = data;
        return;
      }
    }
    if (this.keepFrames) this.chunks.push(chunk.length);
    this.bytes += chunk.length;
    let offset = 0;
    while (data.length - offset >= 2) {
      let length = data[offset + 1] & 127;
      let start = offset + 2;
      if (length === 126) {
        if (data.length < offset + 4) break;
        length = data.readUInt16BE(offset + 2);
        start = offset + 4;
      } else if (length === 127) {
        if (data.length < offset + 10) break;
        length = data.readUInt32BE(offset + 6);
        start = offset + 10;
      }
      if (data.length < start + length) break;
      const frame = {
        opcode: data[offset] & 15,
        rsv1: (data[offset] & 64) !== 0,
        length,
        payload: this.keepPayloads ? Buffer.from(data.subarray(start, start + length)) : Buffer.alloc(0),
        at: performance.now(),
      };
      if (this.keepFrames) this.frames.push(frame);
      this.onFrame(frame);
      offset = start + length;
    }
    this.#rest = data.subarray(offset);
  }
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Opens `count` raw clients one after another, so that server order and client order agree. */
export async function openClients(port, count, path = index => `/${index}`) {
  const clients = [];
  for (let index = 0; index < count; index++) clients.push(await RawClient.open(port, { path: path(index) }));
  return clients;
}

/**
 * Waits until a condition holds; gives up loudly.
 * @param {() => boolean} condition
 * @param {string} what
 */
export async function until(condition, what, limitMs = 20_000) {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

/** Lets `count` whole turns of the event loop pass. */
export async function turns(count) {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve));
}

/**
 * Runs a file with arguments in a child process, which may die.
 * @param {string} url import.meta.url of the probe
 * @param {string[]} args
 * @returns {Promise<{ code: number | null, signal: string | null, out: string, died: boolean }>} `died` means killed by
 *   a signal of its own making (abort, segmentation fault), not an uncaught exception
 */
export function runChild(url, args, { limitMs = 20_000, command = [process.execPath] } = {}) {
  return new Promise((resolve, reject) => {
    const [program, ...rest] = boundCpu([...command, fileURLToPath(url), ...args], limitMs);
    const child = spawn(program, rest, {
      cwd: tmpdir(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, limitMs);
    child.stdout.on('data', data => {
      out += data;
    });
    child.stderr.on('data', data => {
      out += data;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const died = !timedOut && (signal !== null || (code !== null && code >= 128) || (code ?? 0) > 0xc0000000);
      resolve({ code, signal: timedOut ? 'timeout' : signal, out, died });
    });
  });
}

/**
 * A child that hangs inside uWS runs no timer; should its parent be killed meanwhile, the kernel ends it.
 * @param {string[]} command
 * @param {number} limitMs
 */
function boundCpu(command, limitMs) {
  if (process.platform === 'win32') return command;
  return ['sh', '-c', 'ulimit -t "$0"; exec "$@"', String(Math.ceil(limitMs / 1000)), ...command];
}

/** @param {number[]} values */
export function percentile(values, fraction) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

/** @param {number[]} values */
export const median = values => percentile(values, 0.5);

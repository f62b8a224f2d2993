/** One client: a TCP socket, the upgrade by hand (RFC 6455 section 4.1), then frames into a {@link FrameReader}. */
import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type ConnectionEvents, type FrameInspector, FrameReader } from './frame-reader.js';
import type { ClientPlan, Dialect } from './messages.js';
import { type NatsEvents, NatsStream } from './nats-stream.js';
import type { ReadTurns } from './read-turns.js';
import type { Tally } from './tally.js';

const HEAD_BYTES_MAX = 16 * 1024;
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const END_OF_HEAD = '\r\n\r\n';
const TEXT = 1;
const BINARY = 2;
/** Engine.IO 4: the server's ping and the client's answer, each a text frame of one character. */
const ENGINE_PING = '2'.charCodeAt(0);
const ENGINE_PONG = Buffer.from('3');
const PONG = 10;

/** What the sockets of one generator share. */
export interface LoadSocketContext {
  readonly host: string;
  readonly port: number;
  readonly tally: Tally;
  /** Undefined: `plain`. */
  readonly dialect?: Dialect;
  /** Looks into the frames of every socket that has none of its own. */
  readonly inspector: FrameInspector | undefined;
  /** Told before each read. */
  readonly turns?: Pick<ReadTurns, 'enter'> | undefined;
  /** One buffer for all sockets: a read is handled before the next one starts. */
  readonly buffer: Uint8Array;
  /** The connection is gone after it was open; `code` when a close frame told why. */
  lost(socket: LoadSocket, reason: string, code: number | undefined): void;
}

export class LoadSocket implements ConnectionEvents, NatsEvents {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #key = randomBytes(16).toString('base64');
  #head: Buffer | undefined = Buffer.alloc(0);
  #closeCode: number | undefined;
  #settled = false;
  #opened: () => void = () => undefined;
  #refused: (error: Error) => void = () => undefined;
  readonly #plan: ClientPlan;
  readonly #context: LoadSocketContext;

  constructor(
    readonly index: number,
    plan: ClientPlan,
    context: LoadSocketContext,
    own: { readonly inspector?: FrameInspector | undefined; readonly localAddress?: string } = context,
  ) {
    this.#plan = plan;
    this.#context = context;
    const stream = context.dialect === 'nats' ? new NatsStream(index, context.tally, this, own.inspector) : undefined;
    this.#reader = new FrameReader(index, context.tally, this, own.inspector, stream);
    const { port, buffer } = context;
    const callback = (length: number, bytes: Uint8Array): boolean => this.#read(bytes, length);
    const from = own.localAddress === undefined ? {} : { localAddress: own.localAddress };
    this.#socket = connect({ host: this.#host, port, ...from, noDelay: true, onread: { buffer, callback } });
    this.#socket.once('connect', () => this.#socket.write(this.#request()));
    this.#socket.once('error', error => this.#over(`socket error: ${error.message}`));
    this.#socket.once('end', () => this.#socket.end());
    this.#socket.once('close', () => this.#over('the server closed the connection'));
  }

  get #host(): string {
    return this.#plan.host ?? this.#context.host;
  }

  /** Resolves when the server has accepted the upgrade. @throws {Error} with its answer when it has not. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opened = resolve;
      this.#refused = reject;
    });
  }

  ping(payload: Uint8Array): void {
    this.#socket.write(clientFrame(PONG, payload));
  }

  /** Engine.IO's heartbeat; a client that does not answer is closed. Other dialects have no such frame. */
  aside(payload: Uint8Array): void {
    const { dialect } = this.#context;
    if (dialect !== 'socket.io' && dialect !== 'socket.io-msgpack') return;
    if (payload.length === 1 && payload[0] === ENGINE_PING) this.#socket.write(clientFrame(TEXT, ENGINE_PONG));
  }

  /** What NATS's protocol wants answered. */
  reply(bytes: Uint8Array): void {
    this.#socket.write(clientFrame(BINARY, bytes));
  }

  close(code: number): void {
    this.#closeCode = code;
    this.#socket.end();
  }

  broken(reason: string): void {
    this.#socket.destroy();
    this.#over(`protocol error: ${reason}`);
  }

  /** As text; `latin1` where the dialect is binary, so that a command may hold any byte. */
  send(command: string): void {
    const isBinary = this.#context.dialect === 'nats' || this.#context.dialect === 'socket.io-msgpack';
    this.#socket.write(
      isBinary ? clientFrame(BINARY, Buffer.from(command, 'latin1')) : clientFrame(TEXT, Buffer.from(command)),
    );
  }

  /** A frame as it is, header and mask included. */
  write(frame: Uint8Array): void {
    this.#socket.write(frame);
  }

  /** Bytes that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Reads no further: from now on the kernel's buffers fill, then the server's. */
  stall(): void {
    this.#socket.pause();
  }

  /** Ends the connection without a close handshake. */
  destroy(): void {
    this.#settled = true;
    this.#socket.destroy();
  }

  #request(): string {
    return [
      `GET ${this.#plan.path} HTTP/1.1`,
      `Host: ${this.#host}:${this.#context.port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${this.#key}`,
      'Sec-WebSocket-Version: 13',
      END_OF_HEAD.slice(2),
    ].join('\r\n');
  }

  #read(bytes: Uint8Array, length: number): boolean {
    if (this.#head !== undefined) {
      this.#readHead(Buffer.concat([this.#head, bytes.subarray(0, length)]));
    } else {
      this.#context.turns?.enter();
      this.#context.tally.read(length);
      this.#reader.read(bytes, 0, length);
    }
    return true;
  }

  #readHead(head: Buffer): void {
    const end = head.indexOf(END_OF_HEAD);
    this.#head = head;
    if (end < 0) {
      if (head.length > HEAD_BYTES_MAX) this.#over('the answer to the upgrade has no end');
      return;
    }
    const text = head.toString('latin1', 0, end);
    const accept = createHash('sha1').update(`${this.#key}${ACCEPT_GUID}`).digest('base64');
    if (!text.startsWith('HTTP/1.1 101')) {
      const line = text.split('\r\n', 1)[0] ?? '';
      this.#over(`upgrade refused: ${line} ${head.toString('utf8', end + END_OF_HEAD.length).slice(0, 300)}`);
      return;
    }
    if (!text.includes(accept)) {
      this.#over('the answer to the upgrade has a wrong Sec-WebSocket-Accept');
      return;
    }
    this.#head = undefined;
    const rest = head.subarray(end + END_OF_HEAD.length);
    this.#context.tally.read(rest.length);
    this.#reader.read(rest, 0, rest.length);
    if (this.#plan.command !== undefined) this.send(this.#plan.command);
    this.#opened();
  }

  /** The connection is over, once: before the upgrade it was refused, afterwards it is lost. */
  #over(reason: string): void {
    if (this.#settled) return;
    this.#settled = true;
    if (this.#head === undefined) this.#context.lost(this, reason, this.#closeCode);
    else this.#refused(new Error(reason));
    this.#socket.destroy();
  }
}

/** A final client frame, masked as RFC 6455 section 5.3 asks of clients. */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const extended = length <= 125 ? 0 : length <= 0xffff ? 2 : 8;
  const header = Buffer.alloc(2 + extended + 4);
  header[0] = 0x80 | opcode;
  header[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) header.writeUInt16BE(length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  const mask = randomBytes(4);
  mask.copy(header, header.length - 4);
  const masked = Buffer.from(payload);
  for (let i = 0; i < masked.length; i++) masked[i] = (masked[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return Buffer.concat([header, masked]);
}

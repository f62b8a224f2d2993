/** A WebSocket client on a bare TCP socket: sees frames as they are on the wire, and may send such as no library would. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { until } from './until.js';

/** What ends a message on the wire is left out there (RFC 7692 section 7.2.1). */
const DEFLATE_TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const SYNC = { finishFlush: constants.Z_SYNC_FLUSH };
const FIN = 0x80;
const RSV1 = 0x40;
const MASKED = 0x80;

interface RawFrame {
  readonly opcode: number;
  /** The mark of a compressed message. */
  readonly rsv1: boolean;
  /** As it came. */
  readonly payload: Buffer;
}

/** What a request has besides what a WebSocket client sends. */
export interface RawRequest {
  /** Further header lines. */
  readonly headers?: readonly string[];
  /** In place of the address that it connects to. */
  readonly host?: string;
  /** Sent before the request, as proxies do. */
  readonly preface?: Buffer;
}

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export class RawClient {
  readonly frames: RawFrame[] = [];
  /** Status line and headers of the answer to the upgrade. */
  readonly head: string;
  isClosed = false;
  readonly #socket: Socket;
  #rest: Buffer;

  private constructor(socket: Socket, head: string, rest: Buffer) {
    this.#socket = socket;
    this.head = head;
    this.#rest = rest;
    this.#parse();
    socket.on('data', chunk => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      this.#parse();
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('error', () => {
      // Followed by 'close'.
    });
  }

  /**
   * Resolves with the answer to the upgrade, whatever it is.
   * @param url `ws://host:port/path` @param extensions offered; '' for none @param localAddress that it comes from
   */
  static async connect(
    url: string,
    extensions = '',
    localAddress = '127.0.0.1',
    { headers = [], host, preface = Buffer.alloc(0) }: RawRequest = {},
  ): Promise<RawClient> {
    const { hostname, port, pathname, search } = new URL(url);
    const socket = connect({ port: Number(port), host: hostname, localAddress, noDelay: true });
    await once(socket, 'connect');
    const lines = [
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${host ?? `${hostname}:${port}`}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      ...(extensions === '' ? [] : [`Sec-WebSocket-Extensions: ${extensions}`]),
      ...headers,
    ];
    socket.write(Buffer.concat([preface, Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)]));
    let answer = Buffer.alloc(0);
    while (!answer.includes('\r\n\r\n')) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      answer = Buffer.concat([answer, chunk]);
    }
    const end = answer.indexOf('\r\n\r\n');
    return new RawClient(socket, answer.subarray(0, end).toString(), answer.subarray(end + 4));
  }

  /** Of the answer to the upgrade. */
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3}) /.exec(this.head)?.[1]);
  }

  /** A header of the answer; '' if it has none of that name. */
  header(name: string): string {
    return new RegExp(`^${name}: *(.*?)\\r?$`, 'im').exec(this.head)?.[1] ?? '';
  }

  /** The extensions that the server agreed to; '' for none. */
  get extensions(): string {
    return this.header('sec-websocket-extensions');
  }

  /** Data frames, as text or bytes of their message. */
  get messages(): Buffer[] {
    const data = this.frames.filter(({ opcode }) => opcode === OPCODE.text || opcode === OPCODE.binary);
    return data.map(({ rsv1, payload }) => (rsv1 ? inflated(payload) : payload));
  }

  /** The code of the close frame that came, if one did. */
  get closeCode(): number | undefined {
    const payload = this.frames.find(({ opcode }) => opcode === OPCODE.close)?.payload;
    // A close frame may be empty (RFC 6455 section 7.1.5).
    return payload === undefined || payload.length < 2 ? undefined : payload.readUInt16BE(0);
  }

  sendFrame(payload: Buffer, opcode: number, rsv1: boolean): void {
    const head = Buffer.alloc(10);
    head[0] = FIN | (rsv1 ? RSV1 : 0) | opcode;
    head[1] = MASKED | 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
    // A mask of zeros changes nothing.
    this.#socket.write(Buffer.concat([shortest(head, payload.length), Buffer.alloc(4), payload]));
  }

  /** Bytes as they are; whether the other side still takes them is not said. */
  write(bytes: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.#socket.end();
  }

  /** Reads nothing from here on; the kernel's buffers fill. */
  pause(): void {
    this.#socket.pause();
  }

  async arrived(count: number): Promise<void> {
    await until(() => this.messages.length >= count, undefined, `${count} messages`);
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await until(() => this.isClosed);
  }

  #parse(): void {
    for (;;) {
      const short = (this.#rest[1] ?? 0) & 0x7f;
      const start = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (this.#rest.length < start) return;
      const length =
        short === 126 ? this.#rest.readUInt16BE(2) : short === 127 ? Number(this.#rest.readBigUInt64BE(2)) : short;
      if (this.#rest.length < start + length) return;
      const first = this.#rest[0] as number;
      const payload = Buffer.from(this.#rest.subarray(start, start + length));
      this.frames.push({ opcode: first & 0x0f, rsv1: (first & RSV1) !== 0, payload });
      this.#rest = this.#rest.subarray(start + length);
    }
  }
}

/** A message as it is on the wire when it is compressed. */
export function compressed(message: string | Buffer): Buffer {
  const bytes = deflateRawSync(message, SYNC);
  return bytes.subarray(0, bytes.length - DEFLATE_TAIL.length);
}

function inflated(payload: Buffer): Buffer {
  return inflateRawSync(Buffer.concat([payload, DEFLATE_TAIL]), SYNC);
}

/** Lengths must be written in the shortest form (RFC 6455 section 5.2). @param head one with 64 bits of length */
function shortest(head: Buffer, length: number): Buffer {
  if (length > 0xffff) return head;
  if (length < 126) return Buffer.from([head[0] as number, MASKED | length]);
  return Buffer.from([head[0] as number, MASKED | 126, length >> 8, length & 0xff]);
}

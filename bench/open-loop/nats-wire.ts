/**
 * A publisher's end of the NATS protocol, written by hand: a client library flushes when its timer says so, and what is
 * measured here is microseconds. Messages are encoded once; their stamps are fixed-width digits that are overwritten.
 */
import { connect, type Socket } from 'node:net';

const STAMP_DIGITS = 16;
/** A valid number of JSON, so not zeros. */
const STAMP_PLACEHOLDER = '1'.repeat(STAMP_DIGITS);
const TS_EVENT = '"ts_event":';
const TS_SENT = ',"ts_sent":';
const ZERO = 0x30;
const CONNECT =
  'CONNECT {"verbose":false,"pedantic":false,"headers":true,"name":"millrace-bench-publisher"}\r\nPING\r\n';

/** One encoded PUB or HPUB, and where its stamps (16 digits each) are. */
export interface WireMessage {
  readonly bytes: Buffer;
  /** Where the intended time of publishing goes; -1: nowhere. */
  readonly eventAt: number;
  /** A second place for it; -1: nowhere. */
  readonly sentAt: number;
}

/** A message with the header `Ts-Event`, for Millrace. */
export function withHeader(subject: string, payload: string): WireMessage {
  const head = `NATS/1.0\r\nTs-Event: ${STAMP_PLACEHOLDER}\r\n\r\n`;
  const body = Buffer.from(payload);
  const command = `HPUB ${subject} ${head.length} ${head.length + body.length}\r\n`;
  const bytes = Buffer.concat([Buffer.from(command + head), body, Buffer.from('\r\n')]);
  return { bytes, eventAt: Buffer.byteLength(command) + head.indexOf(STAMP_PLACEHOLDER), sentAt: -1 };
}

/** A message whose payload holds `"ts_event":` and 16 digits (or nothing of the kind), for servers that hand bytes on. */
export function withoutHeader(subject: string, payload: string): WireMessage {
  const body = Buffer.from(payload);
  const command = Buffer.from(`PUB ${subject} ${body.length}\r\n`);
  const after = (name: string): number => {
    const at = body.indexOf(name);
    return at < 0 ? -1 : command.length + at + name.length;
  };
  const bytes = Buffer.concat([command, body, Buffer.from('\r\n')]);
  return { bytes, eventAt: after(TS_EVENT), sentAt: after(TS_SENT) };
}

/** The end of a stamped frame as Millrace sends it; both stamps are to be overwritten. */
export function stampedFrame(frame: string): string {
  return `${frame.slice(0, -1)},${TS_EVENT}${STAMP_PLACEHOLDER}${TS_SENT}${STAMP_PLACEHOLDER}}`;
}

/** Writes `micros` as 16 digits. Right for times from 2001 to 2286. */
export function writeStamp(bytes: Uint8Array, at: number, micros: number): void {
  let rest = Math.floor(micros);
  for (let i = at + STAMP_DIGITS - 1; i >= at; i--) {
    const digit = rest % 10;
    bytes[i] = ZERO + digit;
    rest = (rest - digit) / 10;
  }
}

/** A connection to nats-server that only publishes. */
export class WireConnection {
  readonly #socket: Socket;
  #onPong: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', data => this.#take(String(data)));
    socket.on('error', () => undefined);
  }

  static async open(natsUrl: string): Promise<WireConnection> {
    const { hostname, port } = new URL(natsUrl);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', resolve);
    });
    const connection = new WireConnection(socket);
    const ready = connection.#pong();
    socket.write(CONNECT);
    await ready;
    return connection;
  }

  /** Bytes that the kernel has not taken yet. */
  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Resolves when nats-server has read all that was written. */
  async flush(): Promise<void> {
    const done = this.#pong();
    this.#socket.write('PING\r\n');
    await done;
  }

  end(): void {
    this.#socket.destroy();
  }

  #pong(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onPong = resolve;
      this.#socket.once('close', () => reject(new Error('nats-server closed the connection')));
    });
  }

  #take(text: string): void {
    if (text.includes('PING\r\n')) this.#socket.write('PONG\r\n');
    if (text.includes('PONG\r\n')) this.#onPong();
    const error = /-ERR [^\r]*/.exec(text)?.[0];
    if (error !== undefined) this.#socket.destroy(new Error(error));
  }
}

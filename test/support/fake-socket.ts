/** WebSockets without a network: the test plays the gateway, frame by frame. */
import type { MessagePack, WebSocketConstructor, WebSocketLike } from '../../src/client/index.js';
import { PATIENCE_MS, until } from './until.js';

export type Command = Record<string, unknown>;

interface RefusedAnswer {
  readonly statusCode: number;
  readonly headers: { readonly 'retry-after'?: string };
}

export class FakeSocket implements WebSocketLike {
  binaryType = 'blob';
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  /** What the client sent, decoded. */
  readonly commands: Command[] = [];
  /** The code with which the client closed it. */
  closedWith: number | undefined;
  isTerminated = false;
  readonly url: URL;
  /** Subprotocols that the client offers. */
  readonly protocols: readonly string[];
  readonly #messagePack: MessagePack | undefined;
  readonly #onCommand: (command: Command, socket: FakeSocket) => void;
  #onRefused: ((request: unknown, answer: RefusedAnswer) => void) | undefined;

  constructor(
    url: string,
    protocols: readonly string[],
    messagePack: MessagePack | undefined,
    onCommand: (command: Command, socket: FakeSocket) => void,
  ) {
    this.url = new URL(url);
    this.protocols = protocols;
    this.#messagePack = messagePack;
    this.#onCommand = onCommand;
  }

  send(data: string | Uint8Array): void {
    const command = typeof data === 'string' ? JSON.parse(data) : this.#messagePack?.unpack(data);
    this.commands.push(command as Command);
    this.#onCommand(command as Command, this);
  }

  close(code?: number): void {
    this.closedWith = code ?? 1005;
  }

  terminate(): void {
    this.isTerminated = true;
  }

  /** As `ws` has it: shows the answer to a refused upgrade. */
  on(event: string, listener: (request: unknown, answer: RefusedAnswer) => void): void {
    if (event === 'unexpected-response') this.#onRefused = listener;
  }

  /** The gateway refuses the upgrade, and the client sees how. */
  refuse(statusCode: number, retryAfter?: string): void {
    const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
    this.#onRefused?.({}, { statusCode, headers });
  }

  accept(): this {
    this.onopen?.({} as never);
    return this;
  }

  /** Delivers each of these as one message; an array is one message of several frames. */
  frames(...frames: readonly object[]): void {
    for (const frame of frames) {
      this.message(this.#messagePack === undefined ? JSON.stringify(frame) : bufferOf(this.#messagePack.pack(frame)));
    }
  }

  message(data: unknown): void {
    this.onmessage?.({ data } as never);
  }

  /** The connection ends, as seen by the client. */
  end(code: number, reason = ''): void {
    this.onclose?.({ code, reason } as never);
  }

  fail(message?: string): void {
    this.onerror?.({ message } as never);
    this.end(1006);
  }

  sent(action: string): Command[] {
    return this.commands.filter(command => command.action === action);
  }
}

/** Every socket that a client made. */
export class FakeNetwork {
  readonly sockets: FakeSocket[] = [];
  readonly WebSocket: WebSocketConstructor;
  /** What the gateway answers; nothing, unless a test says so. */
  onCommand: (command: Command, socket: FakeSocket) => void = () => {};

  constructor(messagePack?: MessagePack) {
    const { sockets } = this;
    const onCommand = (command: Command, socket: FakeSocket) => this.onCommand(command, socket);
    this.WebSocket = class extends FakeSocket {
      constructor(url: string, protocols: readonly string[] = []) {
        super(url, protocols, messagePack, onCommand);
        sockets.push(this);
      }
    };
  }

  /** The socket of that number, from 1, once it is there. */
  async socket(number: number): Promise<FakeSocket> {
    const socket = await until(() => this.sockets[number - 1], PATIENCE_MS, `the client makes socket ${number}`);
    return socket as FakeSocket;
  }

  /** The same, accepted by the gateway. */
  async accepted(number: number): Promise<FakeSocket> {
    return (await this.socket(number)).accept();
  }
}

/** Subscribes what is asked for, as a gateway does that knows every name. */
export function subscribeAll({ action, stream, symbols, id, since }: Command, socket: FakeSocket): void {
  if (action !== 'subscribe' && action !== 'unsubscribe') return;
  const own = stream === 'orders' ? 'alice' : '*';
  const topics = ((symbols as string[] | undefined) ?? [own]).map(name => `${stream}:${name}`);
  const recovered = since === undefined ? {} : { recovered: true };
  socket.frames({ type: `${action}d`, id, stream, topics, ...recovered });
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

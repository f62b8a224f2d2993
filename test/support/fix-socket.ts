/** A FIX client on a real socket, for what QuickFIX does not do: it sends what a test says, and keeps what comes back. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { bodyOf, type Fields, framed, messagesIn, readable, stampOf } from './fix-wire.js';
import type { TestGateway } from './gateway.js';
import { PATIENCE_MS, until } from './until.js';

/** The port that the gateway gave to FIX. */
export function fixPortOf(gateway: TestGateway): number {
  return Number(/fix +[\d.]+:(\d+)/.exec(gateway.stdout())?.[1]);
}

export class FixSocket {
  /** Whole messages, readable: `8=FIX.4.4|9=…|`. */
  readonly messages: string[] = [];
  isClosed = false;
  nextOut = 1;
  readonly socket: Socket;
  readonly #senderCompId: string;
  #rest = '';

  /** @param ca PEM: connects with TLS */
  constructor(port: number, senderCompId: string, ca?: string) {
    this.#senderCompId = senderCompId;
    const host = '127.0.0.1';
    this.socket = ca === undefined ? connect(port, host) : connectTls({ port, host, ca, servername: 'localhost' });
    this.socket.on('data', bytes => this.#read(bytes));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  send(type: string, fields: Fields = [], header: Fields = []): void {
    const head: Fields = [
      [35, type],
      [34, this.nextOut++],
      [49, this.#senderCompId],
      [52, stampOf(Date.now())],
      [56, 'MILLRACE'],
      ...header,
    ];
    this.socket.write(framed(bodyOf([...head, ...fields])));
  }

  /** Logs on, and waits for the answer: a Logon, a Logout, or the end of the connection. */
  async logOn(password: string | undefined, fields: Fields = [], heartBtIntSeconds = 30): Promise<string | undefined> {
    const before = this.messages.length;
    const credential: Fields = password === undefined ? [] : [[554, password]];
    this.send('A', [[98, 0], [108, heartBtIntSeconds], ...fields, ...credential]);
    await until(() => this.messages.length > before || this.isClosed, PATIENCE_MS, 'an answer to the Logon');
    return this.messages[before];
  }

  subscribe(id: string, symbols: readonly string[], depth = 10, types: readonly number[] = [0, 1]): void {
    this.send('V', [
      [262, id],
      [263, 1],
      [264, depth],
      [265, 1],
      [267, types.length],
      ...types.map(type => [269, type] as const),
      [146, symbols.length],
      ...symbols.map(symbol => [55, symbol] as const),
    ]);
  }

  /** The first message that matches, once it is there. */
  async message(pattern: RegExp): Promise<string> {
    const found = () => this.messages.find(message => pattern.test(message));
    await until(() => found() !== undefined, PATIENCE_MS, `a FIX message like ${pattern}`);
    return found() ?? '';
  }

  closed(): Promise<unknown> {
    return until(() => this.isClosed, PATIENCE_MS, 'the FIX connection is closed');
  }

  end(): void {
    this.socket.destroy();
  }

  #read(bytes: Buffer): void {
    const parts = messagesIn(this.#rest + readable(bytes));
    const last = parts.at(-1) ?? '';
    this.#rest = /\|10=\d{3}\|$/.test(last) ? '' : (parts.pop() ?? '');
    this.messages.push(...parts);
  }
}

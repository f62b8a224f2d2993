/** A WebSocket client that keeps what it received as it came, with the id of its connection. */
import { once } from 'node:events';
import { Packr } from 'msgpackr';
import WebSocket from 'ws';
import { until } from './until.js';

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

export interface Received {
  readonly bytes: Buffer;
  readonly isBinary: boolean;
  /** Decoded. */
  readonly value: unknown;
}

export class RecordedClient {
  readonly received: Received[] = [];
  /** As in `Millrace-Connection`. */
  readonly id: string;
  isClosed = false;
  /** When that was, ms since the Unix epoch. */
  closedMs = Number.POSITIVE_INFINITY;
  readonly #socket: WebSocket;
  readonly #isMsgpack: boolean;

  private constructor(socket: WebSocket, id: string, isMsgpack: boolean) {
    this.#socket = socket;
    this.#isMsgpack = isMsgpack;
    this.id = id;
    socket.on('close', () => {
      this.isClosed = true;
      this.closedMs = Date.now();
    });
    socket.on('error', () => {
      // Followed by 'close'.
    });
  }

  /** Connects, and sends the commands. @param onMessage called for each message, as it comes */
  static async connect(
    url: string,
    commands: readonly object[],
    onMessage?: (message: Received) => void,
  ): Promise<RecordedClient> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    let id = '';
    const early: Received[] = [];
    let client: RecordedClient | undefined;
    socket.on('upgrade', ({ headers }) => {
      id = String(headers['millrace-connection']);
    });
    socket.on('message', (bytes: Buffer, isBinary: boolean) => {
      const value: unknown = isBinary ? packr.unpack(bytes) : JSON.parse(bytes.toString());
      const message = { bytes, isBinary, value };
      onMessage?.(message);
      (client?.received ?? early).push(message);
    });
    await once(socket, 'open');
    client = new RecordedClient(socket, id, url.includes('format=msgpack'));
    client.received.push(...early);
    for (const command of commands) client.send(command);
    return client;
  }

  send(command: object): void {
    this.#socket.send(this.#isMsgpack ? packr.pack(command) : JSON.stringify(command));
  }

  /** Stops reading, so that what is sent waits in the kernel and the gateway; or reads again. */
  stall(isStalled: boolean): void {
    if (isStalled) this.#socket.pause();
    else this.#socket.resume();
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.#socket.close();
    await until(() => this.isClosed);
  }
}

/**
 * uWS's way with sockets, played in one thread: publishes wait for the flush, sends drain them first, a full buffer drops in
 * silence, and the client reads when the test says so.
 */
import type { Session } from '../../src/gateway/model/session.js';

const SEND_OK = 1;
const SEND_BACKPRESSURE = 0;
const SEND_DROPPED = 2;

interface Message {
  readonly bytes: Uint8Array;
  readonly isBinary: boolean;
  /** Dropped: the client never sees it, but the test must know where it would have come. */
  readonly isLost: boolean;
  /** A WebSocket ping, which the client answers once it has read it. */
  readonly isPing?: boolean;
}

/** @param isLost the message was dropped by the gateway's `send`, at this place among the others */
export type Receive = (bytes: Uint8Array, isBinary: boolean, isLost: boolean) => void;

export class FakeSocket {
  readonly topics = new Set<string>();
  /** Bytes of messages that the client has not read: in the kernel's buffers, and the rest in user space. */
  bufferedBytes = 0;
  /** What the client may read of the next message already. */
  #budgetBytes = 0;
  isReading = true;
  isOpen = true;
  readonly session: Session;
  /** Told of each message that the socket takes, whether or not the client ever reads it. */
  onTaken: (bytes: Uint8Array, isBinary: boolean) => void = () => {};
  readonly #uws: FakeUws;
  readonly #receive: Receive;
  #buffer: Message[] = [];
  published: { bytes: Uint8Array; isBinary: boolean }[] = [];
  /** Pongs of the client that the gateway has not read yet. */
  #pongs: Uint8Array[] = [];

  constructor(uws: FakeUws, session: Session, receive: Receive) {
    this.#uws = uws;
    this.session = session;
    this.#receive = receive;
  }

  subscribe(topic: string): boolean {
    this.topics.add(topic);
    return true;
  }

  unsubscribe(topic: string): boolean {
    return this.topics.delete(topic);
  }

  /** What the kernel has not taken. */
  getBufferedAmount(): number {
    return Math.max(0, this.bufferedBytes - this.#uws.kernelBytes);
  }

  send(message: Uint8Array | string, isBinary: boolean): number {
    const bytes = typeof message === 'string' ? Buffer.from(message) : message.slice();
    if (this.getBufferedAmount() > this.#uws.bufferedBytesMax) {
      this.#buffer.push({ bytes, isBinary, isLost: true });
      this.#uws.onDropped(this);
      return SEND_DROPPED;
    }
    this.flush();
    return this.#take(bytes, isBinary);
  }

  /** Never answered at once: the gateway reads the pong in another turn of its loop. */
  ping(payload: Uint8Array): number {
    const bytes = payload.slice();
    this.flush();
    if (this.isReading && this.#buffer.length === 0) {
      this.#pongs.push(bytes);
      return SEND_OK;
    }
    this.#buffer.push({ bytes, isBinary: true, isLost: false, isPing: true });
    this.bufferedBytes += bytes.length;
    return this.getBufferedAmount() > 0 ? SEND_BACKPRESSURE : SEND_OK;
  }

  /** The gateway reads what the client has answered. */
  pong(): void {
    for (const payload of this.#pongs.splice(0)) this.#uws.onPong(this, payload.buffer as ArrayBuffer);
  }

  /** Writes the published messages; the first that finds the buffer full ends it, and the rest vanish. */
  flush(): void {
    const batch = this.published;
    this.published = [];
    for (const { bytes, isBinary } of batch) {
      if (this.getBufferedAmount() > this.#uws.bufferedBytesMax) {
        this.#uws.onDropped(this);
        return;
      }
      this.#take(bytes, isBinary);
    }
  }

  /** The client reads so many of the messages that wait for it, and then no more. */
  read(messages: number): void {
    const bytesBefore = this.getBufferedAmount();
    for (const { bytes, isBinary, isLost, isPing } of this.#buffer.splice(0, messages)) {
      if (!isLost) this.bufferedBytes -= bytes.length;
      if (isPing === true) this.#pongs.push(bytes);
      else this.#receive(bytes, isBinary, isLost);
    }
    if (this.getBufferedAmount() < bytesBefore) this.#uws.onDrain(this);
  }

  /** The client reads so many bytes, as on a slow link; a message that they do not complete comes with the next ones. */
  readBytes(bytes: number): void {
    this.isReading = false;
    this.#budgetBytes += bytes;
    let messages = 0;
    for (const message of this.#buffer) {
      const length = message.isLost ? 0 : message.bytes.length;
      if (length > this.#budgetBytes) break;
      this.#budgetBytes -= length;
      messages++;
    }
    // What a link could have carried while nothing was there is not carried later.
    if (messages === this.#buffer.length) this.#budgetBytes = 0;
    this.read(messages);
  }

  /** The client reads again, all that waits and whatever comes. */
  drain(): void {
    this.isReading = true;
    this.read(this.#buffer.length);
  }

  #take(bytes: Uint8Array, isBinary: boolean): number {
    this.onTaken(bytes, isBinary);
    if (this.isReading && this.#buffer.length === 0) {
      this.#receive(bytes, isBinary, false);
      return SEND_OK;
    }
    this.#buffer.push({ bytes, isBinary, isLost: false });
    this.bufferedBytes += bytes.length;
    return this.getBufferedAmount() > 0 ? SEND_BACKPRESSURE : SEND_OK;
  }
}

export class FakeUws {
  readonly sockets = new Set<FakeSocket>();
  /** A socket with more than this waiting takes nothing more. */
  readonly bufferedBytesMax: number;
  /** How much the kernel takes for a client that does not read. */
  readonly kernelBytes: number;
  onDropped: (socket: FakeSocket) => void = () => {};
  onDrain: (socket: FakeSocket) => void = () => {};
  onPong: (socket: FakeSocket, payload: ArrayBuffer) => void = () => {};

  constructor(bufferedBytesMax: number, kernelBytes = 0) {
    this.bufferedBytesMax = bufferedBytesMax;
    this.kernelBytes = kernelBytes;
  }

  publish(topic: string, message: Uint8Array, isBinary: boolean): boolean {
    const bytes = message.slice();
    for (const socket of this.sockets) if (socket.topics.has(topic)) socket.published.push({ bytes, isBinary });
    return true;
  }

  flush(): void {
    for (const socket of this.sockets) socket.flush();
    for (const socket of this.sockets) if (socket.isOpen) socket.pong();
  }
}

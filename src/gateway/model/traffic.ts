/** What passed over a connection: payload bytes of its messages, before compression. */

/** Written by the server (opened, received) and by whatever sends to the socket. */
export class Traffic {
  #openedMs = 0;
  #receivedMs = 0;
  #receivedBytes = 0;
  #sentBytes = 0;
  #publishedBytes = 0;

  /** When the socket opened, by a monotonic clock. */
  get openedMs(): number {
    return this.#openedMs;
  }

  /** When its client sent the last message; before the first, when it opened. */
  get receivedMs(): number {
    return this.#receivedMs;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Handed to the socket; what it had not sent when it closed is included. */
  get sentBytes(): number {
    return this.#sentBytes + this.#publishedBytes;
  }

  /** Of these, what was published by subscriptions whose native delivery has ended. */
  get publishedBytes(): number {
    return this.#publishedBytes;
  }

  opened(nowMs: number): void {
    this.#openedMs = nowMs;
    this.#receivedMs = nowMs;
  }

  received(bytes: number, nowMs: number): void {
    this.#receivedMs = nowMs;
    this.#receivedBytes += bytes;
  }

  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  published(bytes: number): void {
    this.#publishedBytes += bytes;
  }
}

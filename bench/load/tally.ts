/** What one generator has received, over all its sockets. */

/**
 * Which data frames are deliveries: those whose payload holds `byte` at `offset`. A snapshot, a heartbeat or an answer to
 * a command differs from a delta in one known byte, so that no frame needs to be parsed to be counted.
 */
export interface DeliveryMark {
  readonly offset: number;
  readonly byte: number;
}

/** Counts that never allocate: doubles in one typed array. */
export class Tally {
  /** Offset of the payload byte that tells deliveries from other frames; -1: every data frame is a delivery. */
  readonly markOffset: number;
  readonly #markByte: number;
  readonly #counts = new Float64Array(4);

  constructor(mark: DeliveryMark | undefined) {
    this.markOffset = mark?.offset ?? -1;
    this.#markByte = mark?.byte ?? -1;
  }

  /**
   * One complete data frame of `payloadBytes`, with the byte at `markOffset` (-1 when the frame is shorter). True when it
   * is a delivery.
   */
  frame(byte: number, payloadBytes: number): boolean {
    const isDelivery = this.markOffset < 0 || byte === this.#markByte;
    if (isDelivery) this.delivery(payloadBytes);
    else this.other();
    return isDelivery;
  }

  /** One delivery of `payloadBytes`, however it was told. */
  delivery(payloadBytes: number): void {
    this.#counts[0] = (this.#counts[0] ?? 0) + 1;
    this.#counts[1] = (this.#counts[1] ?? 0) + payloadBytes;
  }

  /** One message that is no delivery. */
  other(): void {
    this.#counts[2] = (this.#counts[2] ?? 0) + 1;
  }

  /** Bytes read from a socket, frame headers included. */
  read(bytes: number): void {
    this.#counts[3] = (this.#counts[3] ?? 0) + bytes;
  }

  get deliveries(): number {
    return this.#counts[0] ?? 0;
  }

  /** Payload bytes of the deliveries. */
  get payloadBytes(): number {
    return this.#counts[1] ?? 0;
  }

  /** Data frames that are not deliveries. */
  get otherFrames(): number {
    return this.#counts[2] ?? 0;
  }

  get wireBytes(): number {
    return this.#counts[3] ?? 0;
  }
}

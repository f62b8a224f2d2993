/**
 * `overflow`: too much is waiting; the message was not taken. `closed`: the publisher or its connection is closed.
 * `refused`: the server did not accept it. `unconfirmed`: the server may or may not have it.
 */
export type PublisherErrorCode = 'overflow' | 'closed' | 'refused' | 'unconfirmed';

/** Why something could not be published. An invalid message is a `TypeError` instead. */
export class PublisherError extends Error {
  override readonly name: string = 'PublisherError';
  readonly code: PublisherErrorCode;

  constructor(code: PublisherErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * More is waiting for the server than {@link PublisherOptions.waitingBytesMax} allows. The message was not taken and
 * has no number.
 */
export class PublisherOverflow extends PublisherError {
  override readonly name = 'PublisherOverflow';
  readonly waitingBytes: number;

  constructor(waitingBytes: number, waitingBytesMax: number) {
    super(
      'overflow',
      `${waitingBytes} of at most ${waitingBytesMax} bytes wait for the server; await flush(), or publish less`,
    );
    this.waitingBytes = waitingBytes;
  }
}

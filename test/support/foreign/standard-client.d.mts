import type { Report } from './clients.js';

/** MessagePack. */
export interface FollowCodec {
  pack(value: unknown): Uint8Array;
  unpack(bytes: Uint8Array): unknown;
}

export interface FollowOptions {
  /** The implementation. */
  readonly WebSocket: new (
    url: string,
    protocols: string[],
  ) => { close(): void };
  readonly url: string;
  readonly protocols: readonly string[];
  /** Left out: JSON. */
  readonly codec?: FollowCodec | undefined;
  /** Sent once the connection is open. */
  readonly commands: readonly object[];
  readonly report: (report: Report) => void;
}

/** @returns the socket */
export function follow(options: FollowOptions): { close(): void };

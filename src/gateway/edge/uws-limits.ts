/** Settings for uWS. Its limits are a backstop behind the gateway's own. */
import type { LimitsConfig, TimesConfig } from '../../config/limits.js';
import { ANY_MESSAGE_BYTES_MAX } from '../commands/large-messages.js';
import type { PayloadBytesMax } from './payload-routes.js';

/** Above all limits of ours; up to this length, a client is told that its message is too long. */
const LONG_PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

/** uWS ends a socket without a close frame when a message exceeds its own limit (payload-routes.ts). */
export function uwsPayloadBytesMax({ roomMessageBytesMax }: LimitsConfig): PayloadBytesMax {
  return {
    long: LONG_PAYLOAD_BYTES_MAX,
    // A client that authenticates later, by `auth`, keeps this bound; it must fit the longest room message.
    short: ANY_MESSAGE_BYTES_MAX + Math.max(ANY_MESSAGE_BYTES_MAX, roomMessageBytesMax),
  };
}

/** uWS's `DISABLED` and `SHARED_COMPRESSOR`, which its typings declare as types only. */
export const NO_COMPRESSION = 0;
export const SHARED_COMPRESSOR = 1;
/**
 * uWS's idle limit backs up ours, which report why they close. It also ends sockets that do not read their close
 * frame. Range that uWS accepts, in seconds.
 */
const UWS_IDLE_SECONDS = { min: 8, max: 960, beyondOurs: 30 };

export function uwsIdleSeconds({ pingIntervalMs, pongTimeoutMs }: TimesConfig): number {
  const { min, max, beyondOurs } = UWS_IDLE_SECONDS;
  const ours = Math.ceil((pingIntervalMs + pongTimeoutMs) / 1000);
  return Math.min(max, Math.max(min, ours + beyondOurs));
}

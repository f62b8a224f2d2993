/** What uWS is told: its limits stand behind the gateway's own. */
import type { TimesConfig } from '../../config/limits.js';

/**
 * uWS ends a socket without a close frame when a message exceeds its own limit, so that limit stands above ours, up to
 * which a client gets the proper 1009. (native-notes/uws.md)
 */
export const UWS_PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;
/** uWS's `DISABLED` and `SHARED_COMPRESSOR`, which its typings declare as types only. */
export const NO_COMPRESSION = 0;
export const SHARED_COMPRESSOR = 1;
/**
 * uWS's own idle limit stands behind ours, which say why they close; it also ends sockets that do not take their close
 * frame. What it accepts, seconds.
 */
const UWS_IDLE_SECONDS = { min: 8, max: 960, beyondOurs: 30 };

export function uwsIdleSeconds({ pingIntervalMs, pongTimeoutMs }: TimesConfig): number {
  const { min, max, beyondOurs } = UWS_IDLE_SECONDS;
  const ours = Math.ceil((pingIntervalMs + pongTimeoutMs) / 1000);
  return Math.min(max, Math.max(min, ours + beyondOurs));
}

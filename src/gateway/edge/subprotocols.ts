/** What a client offers in `Sec-WebSocket-Protocol`: the format of its frames and, where it cannot set headers, its token. */
import type { Format } from '../../protocol/view-options.js';

const FORMATS: Readonly<Record<string, Format>> = { 'millrace.json': 'json', 'millrace.msgpack': 'msgpack' };
/** A JWT has only characters that a subprotocol may have. */
const TOKEN_PREFIX = 'millrace.token.';

export interface Subprotocols {
  /** The one to confirm; '' for none. Never the token, which would go into logs with the answer. */
  readonly confirmed: string;
  /** What it promises. */
  readonly format: Format | undefined;
  readonly token: string | undefined;
}

/** @param header all lines, the preferred subprotocol first */
export function readSubprotocols(header: string): Subprotocols {
  const offered = header.split(',').map(name => name.trim());
  const confirmed = offered.find(name => Object.hasOwn(FORMATS, name)) ?? '';
  const token = offered.find(name => name.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length);
  return { confirmed, format: FORMATS[confirmed], token };
}

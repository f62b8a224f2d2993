/**
 * The compression that a client offers (RFC 7692). uWS answers every offer of permessage-deflate with
 * `client_no_context_takeover; server_no_context_takeover` and compresses with a window of 15 bits. It also accepts
 * offers that require something else (native-notes/uws.md), which the client could then not decompress. So offers are
 * read here, and uWS sees only what it can keep.
 */

const EXTENSION = 'permessage-deflate';
/** What uWS negotiates correctly. */
const ACCEPTED_OFFER = EXTENSION;

/** Whether a value is valid for each parameter of the extension (section 7.1); undefined stands for none. */
const PARAMETERS: Readonly<Record<string, (value: string | undefined) => boolean>> = {
  server_no_context_takeover: value => value === undefined,
  client_no_context_takeover: value => value === undefined,
  // Accepting this one means to confirm it, which uWS does not do.
  server_max_window_bits: () => false,
  // A hint without obligations.
  client_max_window_bits: value => value === undefined || /^([89]|1[0-5])$/.test(value),
};

/**
 * @param header `Sec-WebSocket-Extensions`, all lines: a list of offers, the preferred one first
 * @returns the offer to accept, for uWS; '' declines all
 */
export function acceptableOffer(header: string): string {
  return header.split(',').some(isAcceptable) ? ACCEPTED_OFFER : '';
}

function isAcceptable(offer: string): boolean {
  const [name, ...parameters] = offer.split(';').map(part => part.trim());
  if (name !== EXTENSION) return false;
  const seen = new Set<string>();
  return parameters.every(parameter => {
    const [, key = '', value] = /^([^=\s]+)(?:\s*=\s*"?([^"]*)"?)?$/.exec(parameter) ?? [];
    // A parameter that is unknown, repeated or invalid declines the offer (section 7.1).
    if (seen.has(key) || !Object.hasOwn(PARAMETERS, key)) return false;
    seen.add(key);
    return PARAMETERS[key]?.(value) === true;
  });
}

/** Orders that come over NATS (`control.revoke`, `control.drain`): one JSON object each. */

/** Undefined: the payload is no JSON object. */
export function parseOrder(payload: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // The caller says that it is none.
    return undefined;
  }
}

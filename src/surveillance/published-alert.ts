/** Which parts of an alert are published where. */
import type { AlertRow } from '../protocol/admin-rows.js';
import { CHANNELS } from '../protocol/topics.js';

/** The whole alert, with its users: grant only compliance the right to subscribe. */
export const COMPLIANCE_SUBJECT = 'surveillance.alerts';
/** The clients' channel `alerts`. */
export const CHANNEL_SUBJECT = 'analytics.alerts';

/** What the clients' channel shows: figures and message ids, only that there was something, or nothing. */
export type ChannelContent = 'evidence' | 'summary' | 'off';

/**
 * The alert for the clients' channel; undefined if it shows none. It never names a user: whoever may read the channel
 * would learn whom the firm suspects. Connections and topics of a client's behaviour would tell as much.
 */
export function channelMessage(alert: AlertRow, content: ChannelContent): object | undefined {
  if (content === 'off') return undefined;
  const { id, time, node, detector, symbol, users, summary, figures, evidence } = alert;
  const isOfClient = symbol === null;
  const data = {
    source: 'surveillance',
    id,
    node,
    detector,
    symbol,
    users: users.length,
    summary,
    ...(content === 'evidence' ? { figures, evidence: isOfClient ? [] : evidence } : {}),
  };
  return { type: CHANNELS.alerts, timestamp: time, data };
}

/** Larger than any alert of ours. */
const ALERT_BYTES_MAX = 256 * 1024;

/** Reads an alert that a gateway has published; undefined if it is not one. */
export function alertOf(payload: Uint8Array): AlertRow | undefined {
  if (payload.length > ALERT_BYTES_MAX) return undefined;
  try {
    const alert = JSON.parse(new TextDecoder().decode(payload)) as Partial<AlertRow> | null;
    const isAlert =
      [alert?.id, alert?.time, alert?.node, alert?.detector, alert?.summary].every(text => typeof text === 'string') &&
      [alert?.users, alert?.evidence].every(isTexts) &&
      isFigures(alert?.figures) &&
      (alert?.symbol === null || typeof alert?.symbol === 'string');
    return isAlert ? (alert as AlertRow) : undefined;
  } catch {
    return undefined;
  }
}

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(item => typeof item === 'string');

const isFigures = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.values(value).every(figure => typeof figure === 'number');

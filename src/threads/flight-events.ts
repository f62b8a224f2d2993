/** What a connection's flight recorder notes, for the code and for ops/admin.md. */

/** Each event and what its detail says. */
export const FLIGHT_EVENTS = {
  connected: 'The connection opened; the endpoint.',
  subscribed: 'A `subscribe` was served; how many topics.',
  unsubscribed: 'An `unsubscribe` was served; how many topics.',
  authenticated: '`auth` put another credential in force.',
  error: 'A command was refused; the code.',
  warning: 'The client was warned; the code.',
  status: 'The client was told the state of the feed; the state.',
  gap: 'The client was told of lost events; the topic.',
  lagging: 'The client was told that its state topics are too old; their age in ms.',
  fresh: 'The client was told that they are current again.',
  notice: 'An operator’s notice was sent; its severity.',
  paused: 'State topics wait until the client has received more.',
  resumed: 'No state topic waits any more.',
  stepped_down: 'State topics are sent less often; how many classes slower than requested.',
  restored: 'State topics are sent more often again; how many classes slower they still are.',
  circuit_opened: 'All topics are suspended; how often since the circuit was last closed.',
  circuit_half_open: 'All topics resume; the client must pass checks.',
  circuit_closed: 'The client has passed all checks.',
  going_away: 'The client was redirected; when it may reconnect, in ms.',
  closing: 'The gateway closes the connection; the close code.',
} as const;

export type FlightEventName = keyof typeof FLIGHT_EVENTS;

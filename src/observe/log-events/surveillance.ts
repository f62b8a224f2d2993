import { event, type LogEventGroup } from './event.js';

export const surveillanceEvents: LogEventGroup = {
  title: 'Surveillance',
  events: {
    surveillance_state: event(
      ['info', 'error'],
      'surveillance',
      'whether this gateway watches the market (`watching`), another one does (`standby`), or none may (`unavailable`, with the reason)',
      'state',
      'detail',
    ),
    surveillance_alert: event(
      'warn',
      'surveillance alert',
      'a detector found a pattern; `millrace admin alerts` shows the evidence',
      'id',
      'detector',
      'symbol',
      'users',
      'detail',
    ),
    surveillance_dropped: event(
      'error',
      'surveillance does not keep up: messages are left out',
      'patterns of this time may be missed; `millrace_surveillance_dropped_total` counts the messages',
      'suppressed',
    ),
    surveillance_failed: event('error', 'surveillance thread failed', 'its error; another thread is started', 'err'),
    surveillance_hangs: event(
      'error',
      'surveillance thread hangs and is terminated',
      'another thread is started',
      'delayMs',
    ),
    surveillance_ended: event(
      'error',
      'surveillance thread has ended; starting another',
      'the new thread knows nothing of what the one before it saw',
      'delayMs',
    ),
    pattern_planted: event(
      'info',
      'pattern planted into simulated orders',
      'in the demo: an alert about it should follow',
      'pattern',
      'symbol',
    ),
  },
};

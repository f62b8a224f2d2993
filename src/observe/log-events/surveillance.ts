import { event, type LogEventGroup } from './event.js';

export const surveillanceEvents: LogEventGroup = {
  title: 'Surveillance',
  events: {
    surveillance_state: event(
      ['info', 'error'],
      'surveillance',
      'this gateway watches the market (`watching`), another one does (`standby`), or this one cannot (`unavailable`, with the reason)',
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
    surveillance_thresholds: event(
      'info',
      'surveillance thresholds read again',
      'the file of `SURVEILLANCE_THRESHOLDS` has changed, and counts from now on',
    ),
    surveillance_thresholds_unusable: event(
      'error',
      'surveillance thresholds cannot be used; keeping those in force',
      'the file has changed; the error names what is wrong with it',
      'err',
    ),
    surveillance_dropped: event(
      'error',
      'surveillance does not keep up: messages dropped',
      'it may miss patterns; `millrace_surveillance_dropped_total` counts the messages',
      'suppressed',
    ),
    surveillance_failed: event(
      'error',
      'surveillance thread failed',
      'the error of its thread; the gateway starts another one',
      'err',
    ),
    surveillance_hangs: event(
      'error',
      'surveillance thread hangs and is terminated',
      'the gateway starts another one',
      'delayMs',
    ),
    surveillance_ended: event(
      'error',
      'surveillance thread has ended; starting another',
      'the new thread does not know what the previous one saw',
      'delayMs',
    ),
    pattern_planted: event(
      'info',
      'pattern planted into simulated orders',
      'in the demo; an alert about it should follow',
      'pattern',
      'symbol',
    ),
  },
};

import { DETECTORS, WATCH_STATES, type WatchCounters } from '../../threads/surveillance-messages.js';
import { by, flag, type MetricGroup } from './metric.js';

/** As long as nothing is watched. */
const NOTHING: WatchCounters = { events: 0, unreadable: 0, dropped: 0, unpublished: 0, lagMs: 0, alerts: {} };

export const surveillanceMetrics: MetricGroup = {
  title: 'Surveillance',
  metrics: [
    {
      name: 'millrace_surveillance_state',
      type: 'gauge',
      help: '1 for the state of surveillance at this gateway',
      more: 'All 0 without `SURVEILLANCE=on`. Exactly one of several gateways is `watching`: it holds the lease.',
      labels: { state: WATCH_STATES },
      read: ({ main: { surveillance } }) =>
        by(
          'state',
          WATCH_STATES.map(state => [state, flag(surveillance?.state === state)]),
        ),
    },
    {
      name: 'millrace_surveillance_events_total',
      type: 'counter',
      help: 'Orders, trades, books and seconds of clients that detectors judged',
      read: ({ main: { surveillance } }) => (surveillance?.counters ?? NOTHING).events,
    },
    {
      name: 'millrace_surveillance_unreadable_total',
      type: 'counter',
      help: 'Messages that lack what detectors need, such as trades without their parties',
      read: ({ main: { surveillance } }) => (surveillance?.counters ?? NOTHING).unreadable,
    },
    {
      name: 'millrace_surveillance_dropped_total',
      type: 'counter',
      help: 'Messages that were not judged because surveillance did not keep up',
      read: ({ main: { surveillance } }) => (surveillance?.counters ?? NOTHING).dropped + (surveillance?.dropped ?? 0),
    },
    {
      name: 'millrace_surveillance_lag_seconds',
      type: 'gauge',
      help: 'How long the last message waited until it was judged; 0 while none waits',
      read: ({ main: { surveillance } }) => (surveillance?.counters ?? NOTHING).lagMs / 1000,
    },
    {
      name: 'millrace_surveillance_alerts_total',
      type: 'counter',
      help: 'Alerts found at this gateway, by detector',
      labels: { detector: DETECTORS },
      read: ({ main: { surveillance } }) => {
        const { alerts } = surveillance?.counters ?? NOTHING;
        return by(
          'detector',
          DETECTORS.map(detector => [detector, alerts[detector] ?? 0]),
        );
      },
    },
    {
      name: 'millrace_surveillance_unpublished_total',
      type: 'counter',
      help: 'Publications of alerts that failed',
      read: ({ main: { surveillance } }) => (surveillance?.counters ?? NOTHING).unpublished,
    },
    {
      name: 'millrace_surveillance_restarts_total',
      type: 'counter',
      help: 'Times that the surveillance thread ended and another was started',
      read: ({ main: { surveillance } }) => surveillance?.restarts ?? 0,
    },
  ],
};

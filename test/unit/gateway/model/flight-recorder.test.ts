import { expect, it } from 'vitest';
import { EVENTS_MAX, FlightRecorder } from '../../../../src/gateway/model/flight-recorder.js';

it('R61 keeps the last events of a connection, the oldest first', () => {
  const recorder = new FlightRecorder();
  expect(recorder.all()).toEqual([]);
  recorder.record('connected', 'general');
  expect(recorder.all()).toMatchObject([{ what: 'connected', detail: 'general' }]);
  for (let i = 0; i < EVENTS_MAX * 2 + 7; i++) recorder.record('stepped_down', i);
  const events = recorder.all();
  expect(events).toHaveLength(EVENTS_MAX);
  expect(events.map(({ detail }) => detail)).toEqual(Array.from({ length: EVENTS_MAX }, (_, i) => EVENTS_MAX + 7 + i));
  expect(events.map(({ atMs }) => atMs)).toEqual(events.map(({ atMs }) => atMs).sort((a, b) => a - b));
});

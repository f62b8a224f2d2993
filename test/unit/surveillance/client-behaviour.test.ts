import { describe, expect, it } from 'vitest';
import { CLIENT_KINDS, WatchedClients } from '../../../bench/surveillance/watched-clients.js';
import type { Alert } from '../../../src/surveillance/alert.js';
import type { ClientEvent } from '../../../src/surveillance/events.js';
import { Surveillance } from '../../../src/surveillance/surveillance.js';
import { DEFAULT_THRESHOLDS } from '../../../src/surveillance/thresholds.js';

const START_MICROS = Date.UTC(2026, 10, 2, 10) * 1000;

function watched(): { alerts: Alert[]; at: (second: number, members: Partial<ClientEvent>) => void } {
  const alerts: Alert[] = [];
  const surveillance = new Surveillance(DEFAULT_THRESHOLDS, alert => alerts.push(alert));
  const nothing = { user: 'alice', connection: 'c-1', commands: 1, subscribed: [], unsubscribed: [] };
  return {
    alerts,
    at: (second, members) =>
      surveillance.client({ ...nothing, ...members, atMicros: START_MICROS + second * 1_000_000 }),
  };
}

describe('clients under surveillance (R72)', () => {
  it('R72 reports nothing of 200 ordinary clients in an hour, reconnects included', () => {
    const clients = new WatchedClients(3);
    clients.run(3600);
    expect(clients.events).toBeGreaterThan(50_000);
    expect(clients.alerts).toEqual([]);
  });

  it.each(CLIENT_KINDS)('R72 finds %s, and nothing else', kind => {
    const clients = new WatchedClients(5);
    clients.run(300);
    clients.plant(kind, 1);
    clients.run(180);
    expect(clients.alerts.map(({ detector, users }) => ({ detector, users }))).toEqual([
      { detector: kind, users: clients.labels[0]?.users },
    ]);
  });

  it('R72 adds up the connections of a user, and names them', () => {
    const { alerts, at } = watched();
    for (let second = 0; second < 20; second++) at(second, {});
    for (const connection of ['c-1', 'c-2', 'c-3']) at(30, { connection, commands: 20 });
    expect(alerts).toHaveLength(1);
    expect(alerts[0]).toMatchObject({ detector: 'client_rate', users: ['alice'], figures: { commands: 60 } });
    expect(alerts[0]?.evidence).toEqual(['c-1', 'c-2', 'c-3']);
  });

  it('R72 a burst at the start is no alert: the client subscribes to what it needs', () => {
    const { alerts, at } = watched();
    at(0, { commands: 500 });
    expect(alerts).toEqual([]);
  });

  it('R72 tells clients without a credential apart by their connections', () => {
    const { alerts, at } = watched();
    const both = ['quotes:A', 'quotes:A', 'quotes:A'];
    for (const connection of ['c-1', 'c-2']) {
      for (let second = 0; second < 2; second++)
        at(second, { user: '', connection, subscribed: both, unsubscribed: both });
    }
    expect(alerts.map(({ detector, users, evidence }) => [detector, users, evidence])).toEqual([
      ['client_churn', [], ['c-1', 'quotes:A']],
      ['client_churn', [], ['c-2', 'quotes:A']],
    ]);
  });
});

/** The parts of a session: what each allows, and the states and transitions that its head names. */
import { describe, expect, it } from 'vitest';
import { compileEntitlements } from '../../../../src/auth/credential.js';
import { BACKLOG_BYTES_MAX, BACKLOG_MAX, CommandBacklog } from '../../../../src/gateway/model/command-backlog.js';
import { FlightRecorder } from '../../../../src/gateway/model/flight-recorder.js';
import { Circuit, Flow } from '../../../../src/gateway/model/flow.js';
import { Identity } from '../../../../src/gateway/model/identity.js';
import type { Socket } from '../../../../src/gateway/model/session.js';
import { SessionTopics } from '../../../../src/gateway/model/session-topics.js';
import { CLASSES } from '../../../../src/protocol/view-options.js';
import { newCredential, newSession } from '../../../support/new-session.js';

const RETAIL = newCredential({ sub: 'alice', tier: 'retail' });
const INSTITUTIONAL = newCredential({ sub: 'alice', tier: 'institutional' });
const OTHER = newCredential({ sub: 'bob', tier: 'retail' });
const ANONYMOUS = newCredential({ sub: '', tier: 'retail' });
const classes = ({ fastestClass, defaultClass }: Identity) => [CLASSES[fastestClass], CLASSES[defaultClass]];

describe('R6 a session', () => {
  it('opens once, and never again after its close', () => {
    const session = newSession({ id: 1, sub: 'alice', format: 'json', tier: 'retail' });
    const socket = {} as Socket;
    session.open(socket);
    expect(session.socket).toBe(socket);
    expect(() => session.open(socket)).toThrow('opens once');
    session.close();
    expect(session.socket).toBeUndefined();
    expect(() => session.open(socket)).toThrow('opens once');
  });
});

describe('R33 the identity of a session', () => {
  it('follows its credential, whole', () => {
    const identity = new Identity(RETAIL, compileEntitlements(RETAIL), undefined, 1);
    expect([identity.tier, ...classes(identity)]).toEqual(['retail', '100ms', '100ms']);
    identity.replace(INSTITUTIONAL, compileEntitlements(INSTITUTIONAL), 2);
    expect([identity.tier, ...classes(identity)]).toEqual(['institutional', 'realtime', 'realtime']);
    expect(identity.credential).toBe(INSTITUTIONAL);
  });

  it('keeps the class that the connection asked for, as far as the tier allows it', () => {
    const identity = new Identity(INSTITUTIONAL, compileEntitlements(INSTITUTIONAL), CLASSES.indexOf('16ms'), 1);
    expect(classes(identity)).toEqual(['realtime', '16ms']);
    identity.replace(RETAIL, compileEntitlements(RETAIL), 2);
    expect(classes(identity)).toEqual(['100ms', '100ms']);
    identity.replace(INSTITUTIONAL, compileEntitlements(INSTITUTIONAL), 3);
    expect(classes(identity)).toEqual(['realtime', '16ms']);
  });

  it('I6 is a user’s since that user came, whatever credential it renews', () => {
    const identity = new Identity(RETAIL, compileEntitlements(RETAIL), undefined, 1);
    identity.replace(INSTITUTIONAL, compileEntitlements(INSTITUTIONAL), 2);
    expect(identity.userSinceMs).toBe(1);
    identity.replace(OTHER, compileEntitlements(OTHER), 3);
    expect(identity.userSinceMs).toBe(3);
  });

  it('never becomes anonymous', () => {
    const identity = new Identity(RETAIL, compileEntitlements(RETAIL), undefined, 1);
    expect(() => identity.replace(ANONYMOUS, compileEntitlements(ANONYMOUS), 2)).toThrow('anonymous');
  });
});

describe('R40 a circuit', () => {
  it('opens, is half open once it has drained, and is closed after as many checks as it must pass', () => {
    const circuit = new Circuit(new FlightRecorder());
    circuit.open(5);
    expect([circuit.isOpen, circuit.openedAtMs, circuit.opens]).toEqual([true, 5, 1]);
    circuit.halfOpen(2);
    expect([circuit.isOpen, circuit.pass(), circuit.opens, circuit.pass(), circuit.opens]).toEqual([
      false,
      false,
      1,
      true,
      0,
    ]);
  });

  it('counts each time that it opens again before it is closed', () => {
    const circuit = new Circuit(new FlightRecorder());
    for (let n = 1; n <= 3; n++) {
      circuit.open(n);
      circuit.halfOpen(1);
      expect(circuit.opens).toBe(n);
    }
  });

  it('never opens twice, drains unopened, or passes a check while it is open', () => {
    const circuit = new Circuit(new FlightRecorder());
    expect(() => circuit.halfOpen(1)).toThrow('only an open circuit');
    circuit.open(1);
    expect(() => circuit.open(2)).toThrow('only when it is not open');
    expect(() => circuit.pass()).toThrow('passes no checks');
  });

  it('suspends its session while it is open', () => {
    const session = newSession({ id: 1, sub: 'alice', format: 'json', tier: 'retail' });
    session.flow.circuit.open(1);
    expect(session.isSuspended).toBe(true);
    session.flow.circuit.halfOpen(1);
    expect(session.isSuspended).toBe(false);
  });
});

it('R40 the first drop that is not handled yet counts, whatever else is dropped', () => {
  const flow = new Flow(new FlightRecorder());
  expect([flow.recordDrop(3), flow.recordDrop(4), flow.takeDrop(), flow.takeDrop()]).toEqual([true, false, 3, 0]);
  expect(flow.recordDrop(5)).toBe(true);
});

describe('R23 the backlog of a session', () => {
  const command = new ArrayBuffer(8);

  it('takes commands only while another one awaits its answer, in order', () => {
    const backlog = new CommandBacklog();
    expect(() => backlog.push(command, false)).toThrow('waits only');
    backlog.begin();
    expect(() => backlog.begin()).toThrow('begins once');
    expect([backlog.push(command, false), backlog.push(command, true), backlog.size]).toEqual([true, true, 2]);
    expect(() => backlog.end()).toThrow('when it is empty');
    expect([backlog.shift()?.isBinary, backlog.shift()?.isBinary, backlog.shift()]).toEqual([false, true, undefined]);
    backlog.end();
    expect(backlog.isBusy).toBe(false);
  });

  it('takes no more than its bounds', () => {
    const backlog = new CommandBacklog();
    backlog.begin();
    for (let n = 0; n < BACKLOG_MAX; n++) expect(backlog.push(command, false)).toBe(true);
    expect(backlog.push(command, false)).toBe(false);
    backlog.clear();
    expect(backlog.push(new ArrayBuffer(BACKLOG_BYTES_MAX), false)).toBe(true);
    expect(backlog.push(command, false)).toBe(false);
    backlog.shift();
    expect(backlog.push(command, false)).toBe(true);
  });
});

describe('R6 the topics of a session', () => {
  const [a, b] = [{ topic: 'quotes:A' }, { topic: 'quotes:B' }];

  it('has each once, and ends only what is current', () => {
    const topics = new SessionTopics<{ topic: string }>();
    topics.add(a);
    expect(() => topics.add({ topic: 'quotes:A' })).toThrow('one subscription per topic');
    expect(() => topics.delete({ topic: 'quotes:A' })).toThrow('only a current');
    topics.delete(a);
    expect([topics.size, topics.has('quotes:A')]).toEqual([0, false]);
  });

  it('keeps their order, except for those that move to the end', () => {
    const topics = new SessionTopics<{ topic: string }>();
    topics.add(a);
    topics.add(b);
    topics.moveToEnd([a]);
    expect([...topics.values()]).toEqual([b, a]);
  });

  it('remembers how far it was sent what it left, once, and not of too many', () => {
    const topics = new SessionTopics<{ topic: string }>();
    topics.leave('quotes:A', { epoch: 'e', seq: 1 });
    expect(topics.takeLeft('quotes:A')).toEqual({ epoch: 'e', seq: 1 });
    expect(topics.takeLeft('quotes:A')).toBeUndefined();
    for (let n = 0; n < 1_000; n++) topics.leave(`quotes:${n}`, { epoch: 'e', seq: n });
    expect(topics.takeLeft('quotes:0')).toBeUndefined();
    expect(topics.takeLeft('quotes:999')).toEqual({ epoch: 'e', seq: 999 });
  });
});

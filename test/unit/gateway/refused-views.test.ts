import { beforeEach, describe, expect, it } from 'vitest';
import { MainMessages, type MainMessagesParts } from '../../../src/gateway/main-messages.js';
import { Subscription, type View } from '../../../src/gateway/model/session.js';
import { Views } from '../../../src/gateway/views/views.js';
import type { InterestChange } from '../../../src/threads/thread-messages.js';
import { newSession } from '../../support/new-session.js';

const [ALICE, BOB, EVE] = [1, 2, 3];

let told: InterestChange[];
let views: Views;
let refused: View[];
let mainMessages: MainMessages;

beforeEach(() => {
  told = [];
  refused = [];
  views = new Views(
    1,
    change => told.push(change),
    () => ({ messages: 0, bytes: 0 }),
  );
  const subscriptions = { viewChanges: { refused: (view: View) => refused.push(view) } };
  mainMessages = new MainMessages({ views, subscriptions, port: 0 } as unknown as MainMessagesParts);
});

/** A session of this owner that waits for the room’s view. */
function join(owner: number, tier: 'retail' | 'institutional' = 'retail'): View {
  const session = newSession({ id: owner, sub: `u${owner}`, format: 'json', tier, owner });
  const view = views.acquire('rooms', 'R', 0, session);
  view.waiting.add(new Subscription(session, 0, view));
  return view;
}

const wants = () => told.flatMap(change => (change.op === 'want' ? [[change.owner, change.request] as const] : []));
const refuse = (owner?: number) => {
  const request = wants().at(-1)?.[1] ?? 0;
  mainMessages.receive({ type: 'refused', request, ...(owner === undefined ? undefined : { owner }) });
};

describe('J7 a room that is refused because one user’s share is used up', () => {
  it('J7 is asked for on behalf of each other that waits for it, once', () => {
    const view = join(ALICE);
    join(BOB);
    join(EVE);
    expect(wants().map(([owner]) => owner)).toEqual([ALICE]);
    refuse(ALICE);
    expect(wants().map(([owner]) => owner)).toEqual([ALICE, BOB]);
    refuse(BOB);
    expect(wants().map(([owner]) => owner)).toEqual([ALICE, BOB, EVE]);
    expect(refused).toEqual([]);
    refuse(EVE);
    expect(refused).toEqual([view]);
  });

  it('J7 is refused to all at once when there are too many topics in all', () => {
    const view = join(ALICE);
    join(BOB);
    refuse();
    expect(refused).toEqual([view]);
    expect(wants()).toHaveLength(1);
  });

  it('J7 is asked for by the other tier’s view too, which may be refused in its turn', () => {
    join(ALICE);
    const other = join(BOB, 'institutional');
    // On behalf of whom the hub knows of; that may be refused, and is then asked for on behalf of the other.
    expect(wants().map(([owner]) => owner)).toEqual([ALICE, ALICE]);
    refuse(ALICE);
    expect(wants().at(-1)?.[0]).toBe(BOB);
    expect(views.asked(wants().at(-1)?.[1] ?? 0)).toBe(other);
  });
});

it('J7 R40a refused views take no room of what others ask for', () => {
  const ask = (n: number) => views.acquire('rooms', `R${n}`, 0, { tier: 'retail', owner: ALICE });
  let asked = 0;
  while (views.requests.waiting === 0) ask(asked++);
  for (const [, request] of wants()) mainMessages.receive({ type: 'refused', request });
  expect(views.requests.waiting).toBe(0);
  expect(wants()).toHaveLength(asked);
});

it('J7 the hub is told who holds a room when the one that made it leaves', () => {
  const view = join(ALICE);
  join(BOB);
  views.release(view, ALICE);
  expect(told.at(-1)).toEqual({ op: 'own', source: 'rooms:R', lane: 0, owner: BOB });
  views.release(view, BOB);
  expect(told.at(-1)).toEqual({ op: 'unwant', source: 'rooms:R', lane: 0 });
});

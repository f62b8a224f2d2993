import { describe, expect, it } from 'vitest';
import { Owners } from '../../../../src/gateway/limits/owner.js';
import { ViewOwners } from '../../../../src/gateway/views/view-owners.js';

const [ALICE, BOB, EVE] = [1, 2, 3];

describe('J7 owners of a lane', () => {
  it('J7 the first is charged until it has left with all its sessions; then one of those that hold it', () => {
    const owners = new ViewOwners();
    for (const owner of [ALICE, BOB, ALICE, EVE]) owners.pin('r', owner);
    expect(owners.chargedFor('r')).toBe(ALICE);
    expect(owners.unpin('r', ALICE)).toBeUndefined();
    expect(owners.unpin('r', EVE)).toBeUndefined();
    expect(owners.unpin('r', ALICE)).toBe(BOB);
    expect(owners.chargedFor('r')).toBe(BOB);
    expect(owners.unpin('r', BOB)).toBeUndefined();
    expect(owners.chargedFor('r')).toBeUndefined();
  });

  it('J7 another is charged when the lane was asked for again on its behalf', () => {
    const owners = new ViewOwners();
    owners.pin('r', ALICE);
    owners.pin('r', BOB);
    owners.charge('r', BOB);
    expect(owners.unpin('r', ALICE)).toBeUndefined();
    expect(owners.chargedFor('r')).toBe(BOB);
  });

  it('J7 a user is one owner from every address, an address without a user another; threads agree on the number', () => {
    const [one, other] = [new Owners([1, 2]), new Owners([1, 2])];
    expect(one.of('alice', '192.0.2.1')).toBe(other.of('alice', '192.0.2.2'));
    expect(one.of('', '192.0.2.1')).toBe(other.of('', '192.0.2.1'));
    const numbers = [one.of('alice', ''), one.of('', 'alice'), one.of('bob', ''), one.of('', '192.0.2.1')];
    expect(new Set(numbers).size).toBe(4);
    expect(numbers.every(Number.isSafeInteger)).toBe(true);
    expect(new Owners([1, 3]).of('alice', '')).not.toBe(one.of('alice', ''));
  });
});

/** R73 the dictionary for clients that want our user tags. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const dictionary = readFileSync(new URL('../../../../ops/fix/FIX44-millrace.xml', import.meta.url), 'utf8');

it('R73 declares no whole number of ours as INT, which QuickFIX/J reads with 31 bits', () => {
  const ours = [...dictionary.matchAll(/<field number='(2\d{4})' name='\w+' type='(\w+)'\/>/g)];
  expect(ours.map(([, tag, type]) => `${tag} ${type}`)).toEqual([
    '20001 STRING',
    '20002 STRING',
    '20003 STRING',
    '20004 STRING',
  ]);
});

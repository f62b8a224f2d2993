import { describe, expect, it } from 'vitest';
import { isSubjectPrefix, SubjectPrefix } from '../../../src/protocol/subject-prefix.js';

describe('N8 the prefix of subjects', () => {
  it('N8 stands before every subject and pattern at the server, and before none here', () => {
    const prefix = new SubjectPrefix('prod.eu');
    expect(prefix.add('md.quotes.BRK.B')).toBe('prod.eu.md.quotes.BRK.B');
    expect(prefix.add('>')).toBe('prod.eu.>');
    expect(prefix.remove('prod.eu.md.quotes.BRK.B')).toBe('md.quotes.BRK.B');
    expect(['prod.eu.md.quotes.A', 'prod.europe.md.quotes.A', 'md.quotes.A'].map(text => prefix.isOn(text))).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('N8 may be none', () => {
    const none = new SubjectPrefix('');
    expect([none.add('md.>'), none.remove('md.quotes.A'), none.isOn('md.quotes.A')]).toEqual([
      'md.>',
      'md.quotes.A',
      true,
    ]);
  });

  it.each(['prod', 'prod.eu', 'a-b_c', 'INBOX', '_INBOXES'])('N8 may be %s', text => {
    expect(isSubjectPrefix(text)).toBe(true);
  });

  it.each(['', '.', 'prod.', '.prod', 'a..b', 'a b', 'a.*', '>', '$JS', '_INBOX', '_INBOX.x'])(
    'N8 must not be “%s”',
    text => {
      expect(isSubjectPrefix(text)).toBe(false);
    },
  );
});

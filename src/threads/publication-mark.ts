/**
 * The header of a message that a gateway publishes for a client. By it, the gateway recognizes its own message when it
 * returns, and every gateway recognizes a repeated one. `<id>`, or `<id> <key> <content>` for a message with a
 * client-chosen id.
 */

interface PublicationMark {
  /** Identifies one publish call of one gateway process. */
  readonly id: string;
  /** Messages with the same key are the same message: a hash of user, room and the client's id; '' for none. */
  readonly key: string;
  /** Hash of what the client published: one key stands for one content. */
  readonly content: string;
}

export function markText({ id, key, content }: PublicationMark): string {
  return key === '' ? id : `${id} ${key} ${content}`;
}

export function parseMark(text: string): PublicationMark {
  const [id = '', key = '', content = ''] = text.split(' ');
  return { id, key, content };
}

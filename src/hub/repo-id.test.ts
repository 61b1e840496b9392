import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRepoId } from './repo-id.js';

/** The rules of Python's client, in one expression. */
const rules = /^(?!.*(--|\.\.))(?!.*\.git$)(\w([\w.-]*\w)?\/)?\w([\w.-]{0,94}\w)?$/;

describe('the id of a repository', () => {
  it.each(['facebook/bart-base', 'gpt2', 'Helsinki-NLP/opus-mt-en-de', 'a', '123', '_a/b_', 'Foo-BAR_foo.bar123'])(
    '%s',
    (id) => expect(() => checkRepoId(id)).not.toThrow(),
  );

  it('is what Python takes for one', () => {
    const part = fc.string({ unit: fc.constantFrom(...'aZ9_-./\\~: ä'), maxLength: 8 });
    const text = fc.oneof(
      part,
      fc.tuple(part, part).map((parts) => parts.join('/')),
      fc.string(),
    );
    const isTaken = (id: string) => {
      try {
        checkRepoId(id);
        return true;
      } catch (error) {
        expect((error as Error).message).toMatch(/^model: there is no directory /);
        return false;
      }
    };
    fc.assert(
      fc.property(text, (id) => {
        expect(isTaken(id)).toBe(rules.test(id));
      }),
    );
  });
});

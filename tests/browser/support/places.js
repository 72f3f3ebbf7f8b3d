/** Where things are. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = fileURLToPath(new URL('../../..', import.meta.url));

/** A place for what a run leaves to look at; git ignores it. @param {...string} parts */
export const outputPath = (...parts) => path.join(repositoryRoot, 'test-output', ...parts);

/**
 * Where the tokens live: IndexedDB, because its transactions are in order across tabs. localStorage is not:
 * another tab's process may read what was there a moment ago, also under a lock, and would spend a spent token.
 */

const DATABASE = 'evently';
const STORE = 'session';
const KEY = 'tokens';

/** @type {Promise<IDBDatabase> | null} */
let opening = null;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }).catch((error) => {
    // The next call may have more luck.
    opening = null;
    throw error;
  });
  return opening;
}

/** @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest} act */
async function transact(mode, act) {
  const db = await database();
  return new Promise((resolve, reject) => {
    // On disk before the next request goes out: after a crash an older token would be a spent one.
    const transaction = db.transaction(STORE, mode, { durability: 'strict' });
    const request = act(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** @typedef {{refresh: string, access: string, endsAt: number}} Tokens endsAt is when the access token does, by Date.now() */

/** @returns {Promise<Tokens | undefined>} */
export function readTokens() {
  return transact('readonly', (store) => store.get(KEY));
}

/** @param {Tokens} tokens */
export function writeTokens(tokens) {
  return transact('readwrite', (store) => store.put(tokens, KEY));
}

export function deleteTokens() {
  return transact('readwrite', (store) => store.delete(KEY));
}

// Prints the CID of a file of each [size, profile] that it is asked for, as the reference importer computes it.
import { MemoryBlockstore } from 'blockstore-core'
import { importer } from 'ipfs-unixfs-importer'

const PART = 1048576

async function * content (size) {
  for (let at = 0; at < size; at += PART) {
    const part = new Uint8Array(Math.min(PART, size - at))
    for (let i = 0; i < part.length; i++) part[i] = ((at + i) * 31 + ((at + i) >>> 8)) & 255
    yield part
  }
}

for (const [size, profile] of JSON.parse(process.argv[2])) {
  const options = profile ? { profile } : {}
  for await (const entry of importer([{ path: 'f', content: content(size) }], new MemoryBlockstore(), options)) {
    console.log(String(entry.cid))
  }
}

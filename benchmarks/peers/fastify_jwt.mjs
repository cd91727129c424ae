// @fastify/jwt on Node: the token is checked in an onRequest hook; `trusted` asks a set in the worker's own memory.
import { randomUUID } from 'node:crypto'
import jwt from '@fastify/jwt'
import Fastify from 'fastify'

const COMPANY = '0199f4a2-5f3d-7c11-8a44-6d0c2b9e7f01'
const SECRET = 'a secret of the benchmark, long enough for HS256'

const revoked = new Set()
const app = Fastify()
await app.register(jwt, { secret: SECRET, trusted: (request, token) => !revoked.has(token.jti) })
app.decorate('authenticate', async (request, reply) => {
  try {
    await request.jwtVerify()
  } catch (error) {
    reply.send(error)
  }
})

app.get('/api/v1/companies/:company_id/datasets/', { onRequest: [app.authenticate] }, async () => ({
  results: [{ id: '0199f4a2-6c1e-7b7a-9d52-2f1f0a4f5b10', name: 'Orders' }],
  next_cursor: null
}))

app.post('/logout', { onRequest: [app.authenticate] }, async (request, reply) => {
  revoked.add(request.user.jti)
  return reply.code(204).send()
})

const [command, value] = process.argv.slice(2)
if (command === 'tokens') {
  await app.ready()
  const sign = (_, n) => app.jwt.sign({ sub: `user${n}`, jti: randomUUID() }, { expiresIn: '1d' })
  console.log(JSON.stringify({
    tokens: Array.from({ length: Number(value) }, sign),
    scheme: 'Bearer',
    revoke: { method: 'POST', path: '/logout', body: null },
    path: `/api/v1/companies/${COMPANY}/datasets/`
  }))
} else {
  await app.listen({ host: '127.0.0.1', port: Number(value) })
}

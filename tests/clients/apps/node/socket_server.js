'use strict';

// One of several socket.io servers that find each other through the Redis adapter.

const { createServer } = require('http');
const { createClient } = require('redis');
const { Server } = require('socket.io');
const { createAdapter } = require('@socket.io/redis-adapter');

async function main() {
  const socket = { host: process.env.LARDER_HOST, port: Number(process.env.LARDER_PORT) };
  const publisher = createClient({ socket });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const web = createServer();
  const io = new Server(web, { adapter: createAdapter(publisher, subscriber) });
  io.on('connection', (connection) => {
    connection.on('join', async (room, done) => {
      await connection.join(room);
      done();
    });
    connection.on('tell-all', (news) => connection.broadcast.emit('news', news));
    connection.on('tell-room', (room, news) => connection.to(room).emit('news', news));
    connection.on('count', async (done) => done((await io.fetchSockets()).length));
  });
  web.listen(0, '127.0.0.1', () => process.send({ port: web.address().port }));
}

process.once('disconnect', () => process.exit(0));
main();

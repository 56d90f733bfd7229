// k6: URL, VUS, SECONDS. The journey of the suite `journey`: log in, list, order, look.
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  scenarios: {
    journey: { executor: 'constant-vus', vus: Number(__ENV.VUS), duration: `${__ENV.SECONDS}s`, gracefulStop: '0s' },
  },
};

const url = __ENV.URL;

export default function () {
  const login = http.post(`${url}login`, JSON.stringify({ user: `u${__VU}`, password: 'secret' }), {
    headers: { 'content-type': 'application/json' },
  });
  check(login, { user: (it) => it.status === 200 && it.json('user.name') === 'ann' });
  const headers = { authorization: `Bearer ${login.json('token')}` };
  const items = http.get(`${url}items`, { headers });
  check(items, { items: (it) => it.status === 200 && it.json('items.0.name') === 'anvil' });
  const item = items.json('items.1.id');
  const order = http.post(`${url}orders`, JSON.stringify({ item: item, count: 2 }), {
    headers: { 'content-type': 'application/json', ...headers },
  });
  check(order, { order: (it) => it.status === 201 && it.json('state') === 'taken' });
  const look = http.get(`${url}orders/${order.json('id')}`, { headers, tags: { name: 'look' } });
  check(look, { look: (it) => it.status === 200 && it.json('total') === 42 });
}

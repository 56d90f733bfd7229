// k6: URL, RATE, SECONDS, VUS. With NUMBERED, the path is the number of the iteration.
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';

export const options = {
  scenarios: {
    open: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.RATE),
      timeUnit: '1s',
      duration: `${__ENV.SECONDS}s`,
      preAllocatedVUs: Number(__ENV.VUS),
      maxVUs: Number(__ENV.VUS),
      gracefulStop: '5s',
    },
  },
};

export default function () {
  const number = __ENV.NUMBERED ? String(exec.scenario.iterationInTest) : '';
  // One name for all, else each number is a series of its own.
  const answer = http.get(`${__ENV.URL}${number}`, { tags: { name: 'open' } });
  check(answer, { well: (it) => it.status === 200 });
}

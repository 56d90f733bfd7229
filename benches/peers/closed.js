// k6: URL, VUS, SECONDS; with PAUSE, users wait that many seconds between two requests.
import http from 'k6/http';
import { check, sleep } from 'k6';

export const options = {
  insecureSkipTLSVerify: true,
  scenarios: {
    closed: { executor: 'constant-vus', vus: Number(__ENV.VUS), duration: `${__ENV.SECONDS}s`, gracefulStop: '0s' },
  },
};

const pause = Number(__ENV.PAUSE || 0);

export default function () {
  const answer = http.get(__ENV.URL);
  check(answer, { well: (it) => it.status === 200 && it.body.includes('xxxx') });
  if (pause > 0) sleep(pause);
}

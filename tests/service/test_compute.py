"""The compute thread: places, time, order."""

import asyncio
import threading
import time
from functools import partial

import pytest

from facedots.service.compute import ComputeThread
from facedots.service.problems import Problem


def test_jobs_run_one_after_the_other_in_their_order() -> None:
    done = list[int]()
    threads = set[int]()

    def job(number: int) -> int:
        threads.add(threading.get_ident())
        done.append(number)
        return number

    async def main() -> list[int]:
        compute = ComputeThread(places=5, seconds=5)
        return await asyncio.gather(*(compute.run(partial(job, i)) for i in range(5)))

    assert asyncio.run(main()) == done == list(range(5))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_job_more_than_places_is_refused_at_once_and_places_come_back() -> None:
    async def main() -> None:
        compute, go_on = ComputeThread(places=2, seconds=5), threading.Event()
        jobs = [asyncio.create_task(compute.run(go_on.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        start = time.monotonic()
        with pytest.raises(Problem) as refused:
            await compute.run(go_on.wait)
        assert time.monotonic() - start < 0.05
        assert refused.value.status == 503
        assert int(refused.value.headers["Retry-After"]) >= 1
        go_on.set()
        assert await asyncio.gather(*jobs) == [True, True]
        await asyncio.sleep(0.01)
        compute.check()

    asyncio.run(main())


def test_a_job_that_is_late_is_given_up_but_keeps_its_place_and_one_behind_it_is_dropped() -> None:
    begun = list[str]()

    async def main() -> None:
        compute, go_on = ComputeThread(places=2, seconds=0.1), threading.Event()

        def slow() -> None:
            begun.append("slow")
            go_on.wait()

        jobs = [compute.run(slow), compute.run(lambda: begun.append("behind"))]
        errors = await asyncio.gather(*jobs, return_exceptions=True)
        assert [error.document["limit"]["name"] for error in errors] == ["timeout"] * 2  # type: ignore[union-attr]
        await asyncio.sleep(0.01)
        compute.check()  # of the one behind
        with pytest.raises(Problem):
            await asyncio.gather(compute.run(go_on.wait), compute.run(go_on.wait))
        go_on.set()

    asyncio.run(main())
    assert begun == ["slow"]

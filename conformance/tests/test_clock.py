"""Slots, budgets and bells."""

from __future__ import annotations

import asyncio
import time

import pytest

from roomproof_conformance.clock import Bell, Budget, LagMeter, Slots, Stopwatch


async def test_a_parked_case_gives_its_place_to_another() -> None:
    slots, order = Slots(1), []
    waiting, go = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with slots:
            order.append("first")
            async with slots.parked():
                waiting.set()
                await go.wait()
            order.append("first again")

    async def second() -> None:
        await waiting.wait()
        async with slots:
            order.append("second")
            go.set()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(first())
        group.create_task(second())
    assert order == ["first", "second", "first again"]


async def test_a_budget_is_given_whole_or_not_at_all() -> None:
    budget = Budget(3)
    await budget.take(2)
    waiter = asyncio.create_task(budget.take(2))
    await asyncio.sleep(0)
    assert not waiter.done()
    await budget.give_back(2)
    async with asyncio.timeout(5):
        await waiter


async def test_more_than_the_budget_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="4 connections at once are needed, the target claims 3"):
        await Budget(3).take(4)


async def test_a_bell_wakes_everybody_and_a_silent_one_times_out() -> None:
    bell = Bell()
    waiters = [asyncio.create_task(bell.wait(5)) for _ in range(3)]
    await asyncio.sleep(0)
    bell.ring()
    assert await asyncio.gather(*waiters) == [True, True, True]
    assert await bell.wait(0) is False


async def test_the_lag_meter_sees_a_blocked_loop() -> None:

    seen: list[float] = []
    watch = Stopwatch()
    async with asyncio.timeout(5), LagMeter() as meter:
        meter.watch(watch, seen.append)
        while not seen:
            await asyncio.sleep(0)
            blocked = time.monotonic() + 0.05  # what the meter is there to notice
            while time.monotonic() < blocked:
                pass
    assert watch.worst >= 0.005


async def test_a_pause_at_the_very_end_of_a_case_counts() -> None:
    watch, seen = Stopwatch(), []
    async with LagMeter() as meter:
        meter.watch(watch, seen.append)
        await asyncio.sleep(0)  # the meter begins a beat, and is not woken again
        blocked = time.monotonic() + 0.1
        while time.monotonic() < blocked:
            pass
        meter.unwatch(watch)
    assert seen
    assert watch.worst >= 0.05

from __future__ import annotations

import torch

from ganglion.watching.fingerprints import DrawnImages, are_interpolates, distribution_distance, is_known, marks_of


def test_an_image_is_known_again_in_another_layout_precision_and_batch() -> None:
    images = torch.randn(8, 3, 40, 40)
    drawn = marks_of(images)
    others = torch.cat([torch.randn(2, 3, 40, 40), images[[5, 2]]])
    assert is_known(marks_of(others), drawn).tolist() == [False, False, True, True]
    assert is_known(marks_of(others.to(memory_format=torch.channels_last)), drawn).tolist() == [
        False,
        False,
        True,
        True,
    ]
    assert is_known(marks_of(others.bfloat16()), drawn).tolist() == [False, False, True, True]


def test_points_are_known_by_their_values() -> None:
    drawn = DrawnImages()
    for call in range(60):
        drawn.add(call, 0, marks_of(torch.randn(256, 2)))
    assert drawn.known(marks_of(torch.randn(512, 2))).sum() <= 2
    points = torch.randn(16, 2)
    drawn.add(60, 1, marks_of(points))
    match = drawn.match(marks_of(points[:8]))
    assert bool(match.known.all())
    assert match.source is not None
    assert (match.source.call, match.source.output, match.is_replay) == (60, 1, False)


def test_images_of_many_calls_are_a_replay() -> None:
    drawn = DrawnImages()
    batches = [torch.randn(4, 1, 8, 8) for _ in range(100)]
    for call, batch in enumerate(batches):
        drawn.add(call, 0, marks_of(batch))
    old = torch.cat([batch[:1] for batch in batches[::10]])
    match = drawn.match(marks_of(old))
    assert bool(match.known.all())
    assert match.is_replay


def test_interpolates_and_distances() -> None:
    a, b = torch.randn(6, 1, 12, 12), torch.randn(6, 1, 12, 12)
    share = torch.rand(6, 1, 1, 1)
    marks = [marks_of(images).values for images in (share * a + (1 - share) * b, a, b)]
    assert are_interpolates(*marks)
    assert not are_interpolates(marks[1] + 1, marks[1], marks[2])
    one, same, far = marks_of(torch.randn(64, 30)), marks_of(torch.randn(64, 30)), marks_of(torch.randn(64, 30) + 3)
    assert distribution_distance(one, one) == 0
    assert distribution_distance(one, same) < 0.5 < distribution_distance(one, far)

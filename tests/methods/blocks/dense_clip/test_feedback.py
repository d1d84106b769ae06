"""ResCLIP's feedback: labels of pixels, votes of patches, and which patches belong together."""

from __future__ import annotations

import math

import torch

from methods.blocks.dense_clip.feedback import compute_feedback, connect_patches, find_labels, vote_by_patch

LABELS = torch.randint(0, 4, (32, 48), generator=torch.Generator().manual_seed(0))


def test_patches_of_one_label_are_connected_as_calculated_by_hand() -> None:
    far = math.exp(-2 / 2)  # the line from the first to the last patch crosses another label
    expected = torch.tensor([[1, 0, far], [0, 1, 0], [far, 0, 1]])
    torch.testing.assert_close(connect_patches(torch.tensor([[0, 1, 0]])), expected)


def test_a_line_may_pass_around_nothing() -> None:
    labels = torch.tensor([[0, 0, 0], [1, 1, 0], [1, 1, 0]])
    connections = connect_patches(labels).view(3, 3, 3, 3)
    assert connections[0, 0, 0, 2] == connections[0, 2, 2, 2] == 1  # along the arms
    assert float(connections[0, 0, 2, 2]) == torch.tensor(math.exp(-1.0))  # across the corner
    assert connections[0, 0, 1, 0] == 0


def test_votes_group_patches_alike_for_any_names_of_the_labels() -> None:
    renamed = torch.tensor([2, 3, 1, 0])[LABELS]
    assert torch.equal(vote_by_patch(LABELS, patch_size=4), vote_by_patch(renamed, patch_size=4))


def test_a_vote_is_the_most_frequent_label_and_of_several_the_one_that_comes_first() -> None:
    votes = vote_by_patch(torch.tensor([[1, 2, 2, 1], [2, 2, 1, 2]]), patch_size=2)
    assert votes.tolist() == [[1, 0]]  # the index of the first pixel with label 2, then that of label 1


def test_unsure_pixels_get_a_label_of_their_own_or_the_given_class() -> None:
    cosines = torch.tensor([[0.0, 1.0], [0.5, 0.0], [0.5, 0.0]])[:, None]
    labels = [find_labels(cosines, temperature=10.0, threshold=0.6, fallback=fallback) for fallback in (None, 2)]
    assert [label.tolist() for label in labels] == [[[3, 0]], [[2, 0]]]


def test_the_feedback_of_patches_has_a_maximum_of_one() -> None:
    feedback = compute_feedback(LABELS[:6, :8], sigma=5.0)
    assert feedback.shape == (48, 48) and feedback.max() == 1 and feedback.min() >= 0

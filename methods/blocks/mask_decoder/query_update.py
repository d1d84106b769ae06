"""Update of queries by the values that they attended to: the second half of the decoder layers of ZegCLIP and OTSeg."""

from __future__ import annotations

from torch import Tensor, nn

from methods.blocks.dropout import Dropout


class QueryUpdate(nn.Module):
    """Merging of attended values and MLP, each followed by a residual and a norm.

    Args:
        dimension: Length D of a query.
        hidden: Width of the hidden layer of the MLP.
    """

    def __init__(self, dimension: int, *, hidden: int) -> None:
        super().__init__()
        self.merge, self.attention_norm = nn.Linear(dimension, dimension), nn.LayerNorm(dimension)
        self.expand, self.contract = nn.Linear(dimension, hidden), nn.Linear(hidden, dimension)
        self.mlp_norm = nn.LayerNorm(dimension)

    def forward(self, queries: Tensor, attended: Tensor, *, dropout: Dropout) -> Tensor:
        """Update queries.

        Args:
            queries: (..., D).
            attended: Values that the queries attended to, heads side by side, (..., D).
            dropout: Dropout of the pass.

        Returns:
            (..., D).
        """
        queries = self.attention_norm(queries + dropout(self.merge(attended)))
        hidden = dropout(self.expand(queries).relu())
        updated: Tensor = self.mlp_norm(queries + dropout(self.contract(hidden)))
        return updated

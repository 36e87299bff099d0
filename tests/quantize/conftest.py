import pytest


@pytest.fixture(scope="session")
def oracle():
    """An independent implementation of quantisers."""
    return pytest.importorskip("vector_quantize_pytorch", reason="needs vector-quantize-pytorch, of the extra 'test'")

"""Every set that amiss knows, in the order in which they are listed."""

from __future__ import annotations

from amiss.data.catalogue.celeba import CELEBA
from amiss.data.catalogue.cifar import CIFAR_10, CIFAR_100
from amiss.data.catalogue.coil import COIL_20, COIL_100
from amiss.data.catalogue.cure_tsr import CURE_TSR
from amiss.data.catalogue.description import DataSet
from amiss.data.catalogue.medical import BRAIN_MRI, HEAD_CT
from amiss.data.catalogue.mnist import FASHION_MNIST, KMNIST, MNIST
from amiss.data.catalogue.mvtec import MVTEC_AD
from amiss.data.catalogue.omniglot import OMNIGLOT
from amiss.data.catalogue.svhn import SVHN
from amiss.data.catalogue.tiny_imagenet import TINY_IMAGENET

SETS: tuple[DataSet, ...] = (
    *(MNIST, FASHION_MNIST, KMNIST, OMNIGLOT),
    *(CIFAR_10, CIFAR_100, SVHN, TINY_IMAGENET, CELEBA),
    *(COIL_20, COIL_100, CURE_TSR),
    *(HEAD_CT, BRAIN_MRI, MVTEC_AD),
)

internal import CLibuv

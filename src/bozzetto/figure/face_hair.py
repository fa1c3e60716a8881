def face_hair_pieces(person): return []

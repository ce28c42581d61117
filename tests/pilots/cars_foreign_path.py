# CSV beside it, asked for by an absolute path of another machine; numbers with a unit behind; XGBoost.

# %% [markdown]
# # Used cars

# %%
import pandas as pd
import numpy as np

# %%
# !ls

# %%
car = pd.read_csv(r'C:\Users\Rahul\Desktop\ML projects\car_details.csv')
car.head()

# %%
car.shape

# %%
car['fuel'].value_counts()

# %%
car['mileage'] = car['mileage'].str.replace(' kmpl', '').astype(float)
car['engine'] = car['engine'].str.split(' ').str[0].astype(int)
car['mileage'] = car['mileage'].fillna(car['mileage'].mean())

# %%
car['brand'] = car['name'].apply(lambda n: n.split()[0])
car = car.drop('name', axis=1)

# %%
car = car[car['selling_price'] < 2000000]
car = car[car['km_driven'] < 300000].reset_index(drop=True)

# %%
car['no_year'] = 2021 - car['year']
car.drop(['year'], axis=1, inplace=True)

# %%
from sklearn.preprocessing import OrdinalEncoder
cat_cols = ['fuel', 'seller_type', 'transmission', 'owner', 'brand']
oe = OrdinalEncoder()
car[cat_cols] = oe.fit_transform(car[cat_cols])

# %%
X = car.drop('selling_price', axis=1)
y = car['selling_price']

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=11)

# %%
from xgboost import XGBRegressor
xgb = XGBRegressor(n_estimators=80, max_depth=3, learning_rate=0.1)
xgb.fit(X_train, y_train)

# %%
from sklearn.metrics import r2_score, mean_absolute_percentage_error
y_pred = xgb.predict(X_test)
print(r2_score(y_test, y_pred))
print(mean_absolute_percentage_error(y_test, y_pred))

# %%
import pickle
pickle.dump(xgb, open('car_model.pkl', 'wb'))

# %%
# try a car
xgb.predict(X_test.iloc[[0]])
